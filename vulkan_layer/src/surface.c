/* SPDX-License-Identifier: GPL-2.0-or-later
 * What the layer says about surfaces; see surface.h. */
#define _GNU_SOURCE
#include "surface.h"

#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

#include "log.h"

#define NO_EXTENT 0xFFFFFFFFu /* the swapchain decides the size (Vulkan 34.5) */

/* xcb's ABI, which has not changed since 1.0: the layer does not link xcb, it
 * uses the copy of the process that made the connection, if there is one. */
typedef struct xcb_cookie {
    unsigned int sequence;
} xcb_cookie;
typedef struct xcb_geometry {
    uint8_t response_type, depth;
    uint16_t sequence;
    uint32_t length, root;
    int16_t x, y;
    uint16_t width, height;
} xcb_geometry;
typedef xcb_cookie (*get_geometry_fn)(xcb_connection_t *, uint32_t drawable);
typedef xcb_geometry *(*get_geometry_reply_fn)(xcb_connection_t *, xcb_cookie, void **error);
typedef xcb_connection_t *(*get_xcb_connection_fn)(Display *);

static void *process_symbol(const char *name) {
    return dlsym(RTLD_DEFAULT, name);
}

/* False when the window's size cannot be asked (no xcb, window gone). */
static bool window_extent(uis_instance *instance, VkSurfaceKHR handle, VkExtent2D *extent) {
    pthread_mutex_lock(&instance->lock);
    uis_surface *surface = instance->surfaces;
    while (surface && surface->handle != handle)
        surface = surface->next_surface;
    xcb_connection_t *connection = surface ? surface->connection : NULL;
    xcb_window_t window = surface ? surface->window : 0;
    pthread_mutex_unlock(&instance->lock);
    get_geometry_fn get = (get_geometry_fn)process_symbol("xcb_get_geometry");
    get_geometry_reply_fn reply = (get_geometry_reply_fn)process_symbol("xcb_get_geometry_reply");
    if (!connection || !get || !reply)
        return false;
    void *error = NULL;
    xcb_geometry *geometry = reply(connection, get(connection, window), &error);
    bool known = geometry && geometry->width && geometry->height;
    if (known)
        *extent = (VkExtent2D){geometry->width, geometry->height};
    free(geometry);
    free(error);
    return known;
}

static void remember(uis_instance *instance, VkSurfaceKHR handle, xcb_connection_t *connection,
                     xcb_window_t window) {
    uis_surface *surface = calloc(1, sizeof *surface);
    if (!surface)
        return; /* then its size is simply not known */
    surface->handle = handle;
    surface->connection = connection;
    surface->window = window;
    pthread_mutex_lock(&instance->lock);
    surface->next_surface = instance->surfaces;
    instance->surfaces = surface;
    pthread_mutex_unlock(&instance->lock);
}

void uis_surfaces_free(uis_instance *instance) {
    while (instance->surfaces) {
        uis_surface *surface = instance->surfaces;
        instance->surfaces = surface->next_surface;
        free(surface);
    }
}

VKAPI_ATTR VkResult VKAPI_CALL uis_CreateXcbSurfaceKHR(VkInstance handle,
                                                       const VkXcbSurfaceCreateInfoKHR *info,
                                                       const VkAllocationCallbacks *allocator,
                                                       VkSurfaceKHR *surface) {
    uis_instance *instance = uis_instance_find(handle);
    VkResult result = instance->next.CreateXcbSurfaceKHR(handle, info, allocator, surface);
    if (result == VK_SUCCESS)
        remember(instance, *surface, info->connection, info->window);
    return result;
}

VKAPI_ATTR VkResult VKAPI_CALL uis_CreateXlibSurfaceKHR(VkInstance handle,
                                                        const VkXlibSurfaceCreateInfoKHR *info,
                                                        const VkAllocationCallbacks *allocator,
                                                        VkSurfaceKHR *surface) {
    uis_instance *instance = uis_instance_find(handle);
    VkResult result = instance->next.CreateXlibSurfaceKHR(handle, info, allocator, surface);
    /* Through xcb and not Xlib: an Xlib query of a window that is gone calls the
     * app's error handler, which by default ends the process. */
    get_xcb_connection_fn get = (get_xcb_connection_fn)process_symbol("XGetXCBConnection");
    if (result == VK_SUCCESS && get)
        remember(instance, *surface, get(info->dpy), (xcb_window_t)info->window);
    return result;
}

VKAPI_ATTR void VKAPI_CALL uis_DestroySurfaceKHR(VkInstance handle, VkSurfaceKHR surface,
                                                 const VkAllocationCallbacks *allocator) {
    uis_instance *instance = uis_instance_find(handle);
    pthread_mutex_lock(&instance->lock);
    uis_surface **link = &instance->surfaces;
    while (*link && (*link)->handle != surface)
        link = &(*link)->next_surface;
    uis_surface *gone = *link;
    if (gone)
        *link = gone->next_surface;
    pthread_mutex_unlock(&instance->lock);
    free(gone);
    instance->next.DestroySurfaceKHR(handle, surface, allocator);
}

/* Any queue that can copy an image can "present" to the layer. */
static VkBool32 family_presents(uis_instance *instance, VkPhysicalDevice device, uint32_t family) {
    uint32_t count = 0;
    instance->next.GetPhysicalDeviceQueueFamilyProperties(device, &count, NULL);
    if (family >= count)
        return VK_FALSE;
    VkQueueFamilyProperties *families = calloc(count, sizeof *families);
    if (!families)
        return VK_FALSE;
    instance->next.GetPhysicalDeviceQueueFamilyProperties(device, &count, families);
    VkQueueFlags flags = family < count ? families[family].queueFlags : 0;
    free(families);
    return (flags & (VK_QUEUE_GRAPHICS_BIT | VK_QUEUE_COMPUTE_BIT | VK_QUEUE_TRANSFER_BIT)) != 0;
}

VKAPI_ATTR VkBool32 VKAPI_CALL uis_GetPhysicalDeviceXcbPresentationSupportKHR(
    VkPhysicalDevice device, uint32_t family, xcb_connection_t *connection, xcb_visualid_t visual) {
    uis_instance *instance = uis_instance_find(device);
    if (instance->passthrough)
        return instance->next.GetPhysicalDeviceXcbPresentationSupportKHR(device, family, connection,
                                                                         visual);
    return family_presents(instance, device, family);
}

VKAPI_ATTR VkBool32 VKAPI_CALL uis_GetPhysicalDeviceXlibPresentationSupportKHR(
    VkPhysicalDevice device, uint32_t family, Display *display, VisualID visual) {
    uis_instance *instance = uis_instance_find(device);
    if (instance->passthrough)
        return instance->next.GetPhysicalDeviceXlibPresentationSupportKHR(device, family, display,
                                                                          visual);
    return family_presents(instance, device, family);
}

VKAPI_ATTR VkResult VKAPI_CALL uis_GetPhysicalDeviceSurfaceSupportKHR(VkPhysicalDevice device,
                                                                      uint32_t family,
                                                                      VkSurfaceKHR surface,
                                                                      VkBool32 *supported) {
    uis_instance *instance = uis_instance_find(device);
    if (instance->passthrough)
        return instance->next.GetPhysicalDeviceSurfaceSupportKHR(device, family, surface,
                                                                 supported);
    *supported = family_presents(instance, device, family);
    return VK_SUCCESS;
}

static VkFormatFeatureFlags features(uis_instance *instance, VkPhysicalDevice device,
                                     VkFormat format) {
    VkFormatProperties properties;
    instance->next.GetPhysicalDeviceFormatProperties(device, format, &properties);
    return properties.optimalTilingFeatures;
}

static VkImageUsageFlags supported_usage(uis_instance *instance, VkPhysicalDevice device) {
    static const struct {
        VkFormatFeatureFlags feature;
        VkImageUsageFlags usage;
    } table[] = {
        {VK_FORMAT_FEATURE_COLOR_ATTACHMENT_BIT,
         VK_IMAGE_USAGE_COLOR_ATTACHMENT_BIT | VK_IMAGE_USAGE_INPUT_ATTACHMENT_BIT},
        {VK_FORMAT_FEATURE_SAMPLED_IMAGE_BIT, VK_IMAGE_USAGE_SAMPLED_BIT},
        {VK_FORMAT_FEATURE_STORAGE_IMAGE_BIT, VK_IMAGE_USAGE_STORAGE_BIT},
    };
    VkFormatFeatureFlags has = features(instance, device, VK_FORMAT_B8G8R8A8_UNORM);
    VkImageUsageFlags usage = VK_IMAGE_USAGE_TRANSFER_SRC_BIT | VK_IMAGE_USAGE_TRANSFER_DST_BIT;
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
        if (has & table[i].feature)
            usage |= table[i].usage;
    return usage;
}

static void fill_capabilities(uis_instance *instance, VkPhysicalDevice device, VkSurfaceKHR surface,
                              VkSurfaceCapabilitiesKHR *caps) {
    VkPhysicalDeviceProperties properties;
    instance->next.GetPhysicalDeviceProperties(device, &properties);
    uint32_t largest = properties.limits.maxImageDimension2D;
    *caps = (VkSurfaceCapabilitiesKHR){
        /* As drivers on X11 have it: apps ask for this or one more. */
        .minImageCount = 3,
        .maxImageCount = 16,
        .currentExtent = {NO_EXTENT, NO_EXTENT},
        .minImageExtent = {1, 1},
        .maxImageExtent = {largest, largest},
        .maxImageArrayLayers = 1,
        .supportedTransforms = VK_SURFACE_TRANSFORM_IDENTITY_BIT_KHR,
        .currentTransform = VK_SURFACE_TRANSFORM_IDENTITY_BIT_KHR,
        .supportedCompositeAlpha =
            VK_COMPOSITE_ALPHA_OPAQUE_BIT_KHR | VK_COMPOSITE_ALPHA_INHERIT_BIT_KHR,
        .supportedUsageFlags = supported_usage(instance, device),
    };
    VkExtent2D extent;
    if (window_extent(instance, surface, &extent) && extent.width <= largest &&
        extent.height <= largest)
        caps->currentExtent = extent;
}

VKAPI_ATTR VkResult VKAPI_CALL uis_GetPhysicalDeviceSurfaceCapabilitiesKHR(
    VkPhysicalDevice device, VkSurfaceKHR surface, VkSurfaceCapabilitiesKHR *caps) {
    uis_instance *instance = uis_instance_find(device);
    if (instance->passthrough)
        return instance->next.GetPhysicalDeviceSurfaceCapabilitiesKHR(device, surface, caps);
    fill_capabilities(instance, device, surface, caps);
    return VK_SUCCESS;
}

VKAPI_ATTR VkResult VKAPI_CALL uis_GetPhysicalDeviceSurfaceCapabilities2KHR(
    VkPhysicalDevice device, const VkPhysicalDeviceSurfaceInfo2KHR *info,
    VkSurfaceCapabilities2KHR *caps) {
    uis_instance *instance = uis_instance_find(device);
    if (instance->passthrough)
        return instance->next.GetPhysicalDeviceSurfaceCapabilities2KHR(device, info, caps);
    fill_capabilities(instance, device, info->surface, &caps->surfaceCapabilities);
    for (VkBaseOutStructure *s = caps->pNext; s; s = s->pNext)
        if (s->sType == VK_STRUCTURE_TYPE_SURFACE_PROTECTED_CAPABILITIES_KHR)
            ((VkSurfaceProtectedCapabilitiesKHR *)s)->supportsProtected = VK_FALSE;
    return VK_SUCCESS;
}

VKAPI_ATTR VkResult VKAPI_CALL uis_GetPhysicalDeviceSurfaceCapabilities2EXT(
    VkPhysicalDevice device, VkSurfaceKHR surface, VkSurfaceCapabilities2EXT *out) {
    uis_instance *instance = uis_instance_find(device);
    if (instance->passthrough)
        return instance->next.GetPhysicalDeviceSurfaceCapabilities2EXT(device, surface, out);
    VkSurfaceCapabilitiesKHR caps;
    fill_capabilities(instance, device, surface, &caps);
    out->minImageCount = caps.minImageCount;
    out->maxImageCount = caps.maxImageCount;
    out->currentExtent = caps.currentExtent;
    out->minImageExtent = caps.minImageExtent;
    out->maxImageExtent = caps.maxImageExtent;
    out->maxImageArrayLayers = caps.maxImageArrayLayers;
    out->supportedTransforms = caps.supportedTransforms;
    out->currentTransform = caps.currentTransform;
    out->supportedCompositeAlpha = caps.supportedCompositeAlpha;
    out->supportedUsageFlags = caps.supportedUsageFlags;
    out->supportedSurfaceCounters = 0;
    return VK_SUCCESS;
}

enum { MAX_FORMATS = 4 };

static uint32_t list_formats(uis_instance *instance, VkPhysicalDevice device,
                             VkSurfaceFormatKHR out[MAX_FORMATS]) {
    static const VkFormat wanted[MAX_FORMATS] = {
        VK_FORMAT_B8G8R8A8_UNORM,
        VK_FORMAT_B8G8R8A8_SRGB,
        VK_FORMAT_R8G8B8A8_UNORM,
        VK_FORMAT_R8G8B8A8_SRGB,
    };
    uint32_t count = 0;
    for (uint32_t i = 0; i < MAX_FORMATS; i++)
        if (features(instance, device, wanted[i]) & VK_FORMAT_FEATURE_COLOR_ATTACHMENT_BIT)
            out[count++] = (VkSurfaceFormatKHR){wanted[i], VK_COLOR_SPACE_SRGB_NONLINEAR_KHR};
    return count;
}

VKAPI_ATTR VkResult VKAPI_CALL uis_GetPhysicalDeviceSurfaceFormatsKHR(VkPhysicalDevice device,
                                                                      VkSurfaceKHR surface,
                                                                      uint32_t *count,
                                                                      VkSurfaceFormatKHR *formats) {
    uis_instance *instance = uis_instance_find(device);
    if (instance->passthrough)
        return instance->next.GetPhysicalDeviceSurfaceFormatsKHR(device, surface, count, formats);
    VkSurfaceFormatKHR all[MAX_FORMATS];
    uint32_t have = list_formats(instance, device, all);
    if (!formats) {
        *count = have;
        return VK_SUCCESS;
    }
    if (*count > have)
        *count = have;
    memcpy(formats, all, *count * sizeof all[0]);
    return *count < have ? VK_INCOMPLETE : VK_SUCCESS;
}

VKAPI_ATTR VkResult VKAPI_CALL uis_GetPhysicalDeviceSurfaceFormats2KHR(
    VkPhysicalDevice device, const VkPhysicalDeviceSurfaceInfo2KHR *info, uint32_t *count,
    VkSurfaceFormat2KHR *formats) {
    uis_instance *instance = uis_instance_find(device);
    if (instance->passthrough)
        return instance->next.GetPhysicalDeviceSurfaceFormats2KHR(device, info, count, formats);
    VkSurfaceFormatKHR all[MAX_FORMATS];
    uint32_t have = list_formats(instance, device, all);
    if (!formats) {
        *count = have;
        return VK_SUCCESS;
    }
    if (*count > have)
        *count = have;
    for (uint32_t i = 0; i < *count; i++)
        formats[i].surfaceFormat = all[i];
    return *count < have ? VK_INCOMPLETE : VK_SUCCESS;
}

VKAPI_ATTR VkResult VKAPI_CALL uis_GetPhysicalDeviceSurfacePresentModesKHR(
    VkPhysicalDevice device, VkSurfaceKHR surface, uint32_t *count, VkPresentModeKHR *modes) {
    uis_instance *instance = uis_instance_find(device);
    if (instance->passthrough)
        return instance->next.GetPhysicalDeviceSurfacePresentModesKHR(device, surface, count,
                                                                      modes);
    /* Only FIFO is paced; with the others the app goes as fast as images return. */
    static const VkPresentModeKHR all[] = {
        VK_PRESENT_MODE_FIFO_KHR,
        VK_PRESENT_MODE_IMMEDIATE_KHR,
        VK_PRESENT_MODE_MAILBOX_KHR,
    };
    const uint32_t have = sizeof all / sizeof all[0];
    if (!modes) {
        *count = have;
        return VK_SUCCESS;
    }
    if (*count > have)
        *count = have;
    memcpy(modes, all, *count * sizeof all[0]);
    return *count < have ? VK_INCOMPLETE : VK_SUCCESS;
}

VKAPI_ATTR VkResult VKAPI_CALL uis_GetPhysicalDevicePresentRectanglesKHR(VkPhysicalDevice device,
                                                                         VkSurfaceKHR surface,
                                                                         uint32_t *count,
                                                                         VkRect2D *rects) {
    uis_instance *instance = uis_instance_find(device);
    if (instance->passthrough)
        return instance->next.GetPhysicalDevicePresentRectanglesKHR(device, surface, count, rects);
    if (!rects) {
        *count = 1;
        return VK_SUCCESS;
    }
    if (*count == 0)
        return VK_INCOMPLETE;
    *count = 1;
    VkSurfaceCapabilitiesKHR caps;
    fill_capabilities(instance, device, surface, &caps);
    rects[0] = (VkRect2D){{0, 0}, caps.currentExtent};
    if (caps.currentExtent.width == NO_EXTENT)
        rects[0].extent = caps.maxImageExtent;
    return VK_SUCCESS;
}

VKAPI_ATTR VkResult VKAPI_CALL uis_GetDeviceGroupPresentCapabilitiesKHR(
    VkDevice handle, VkDeviceGroupPresentCapabilitiesKHR *caps) {
    uis_device *device = uis_device_find(handle);
    if (device->instance->passthrough)
        return device->next.GetDeviceGroupPresentCapabilitiesKHR(handle, caps);
    memset(caps->presentMask, 0, sizeof caps->presentMask);
    caps->presentMask[0] = 1;
    caps->modes = VK_DEVICE_GROUP_PRESENT_MODE_LOCAL_BIT_KHR;
    return VK_SUCCESS;
}

VKAPI_ATTR VkResult VKAPI_CALL uis_GetDeviceGroupSurfacePresentModesKHR(
    VkDevice handle, VkSurfaceKHR surface, VkDeviceGroupPresentModeFlagsKHR *modes) {
    uis_device *device = uis_device_find(handle);
    if (device->instance->passthrough)
        return device->next.GetDeviceGroupSurfacePresentModesKHR(handle, surface, modes);
    *modes = VK_DEVICE_GROUP_PRESENT_MODE_LOCAL_BIT_KHR;
    return VK_SUCCESS;
}
