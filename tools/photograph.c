/* A picture from a file, in the size that a network takes. */
#include "photograph.h"

#include "ranks.h"
#include "text.h"

atl_tensor *fit_photograph(const atl_tensor *picture, int64_t resize, int64_t height, int64_t width)
{
    atl_shape own = atl_tensor_shape(picture);
    int64_t h = own.size[0], w = own.size[1], short_side = h < w ? h : w;
    int64_t for_height = (short_side * height + h - 1) / h, for_width = (short_side * width + w - 1) / w;
    int64_t least = for_height > for_width ? for_height : for_width;
    return atl_fit_image(picture, resize > least ? resize : least, height, width);
}

atl_tensor *read_photograph(const loaded_network *network, const char *path, int exact)
{
    atl_tensor *picture = atl_read_image(path), *fitted = NULL;
    const atl_model_size *size = &network->size;
    int64_t short_side = size->height < size->width ? size->height : size->width;
    atl_shape own = atl_tensor_shape(picture);
    if (!picture || (own.size[0] == size->height && own.size[1] == size->width))
        return picture;
    /* The cropped margin keeps its proportion if the images have another size than published. */
    int64_t resize = network->model->resize * short_side / network->model->height;
    if (exact)
        atl_set_error(ATL_INVALID, "%s: the picture is %lld x %lld, but the network takes %lld x %lld (--exact)", path,
                      (long long)own.size[0], (long long)own.size[1], (long long)size->height, (long long)size->width);
    else
        fitted = fit_photograph(picture, resize, size->height, size->width);
    atl_tensor_free(picture);
    return fitted;
}

int leave_picture_out(const char *command, int64_t *unread)
{
    int code = report_failure(command);
    *unread += code == EXIT_BAD_FILE;
    return code == EXIT_BAD_FILE ? 0 : code;
}

int end_without_pictures(const char *command, int code, int64_t unread)
{
    if (!unread || (code != EXIT_GOAL_MET && code != EXIT_GOAL_NOT_MET))
        return code;
    end_ranks_together();
    return report_error(command, EXIT_BAD_FILE, "%lld picture%s could not be read: see above", (long long)unread,
                        plural(unread));
}
