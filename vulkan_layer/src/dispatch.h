/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Per-instance and per-device data of the layer, found by dispatch key (the
 * loader's table pointer at the start of every dispatchable handle; a physical
 * device has its instance's, a queue its device's), and the next layer's
 * functions.
 *
 * Ownership: layer.c creates both in vkCreateInstance and vkCreateDevice and
 * frees them in the matching destroy call. Threads: the lists are locked; a
 * pointer found stays valid as long as the app may use the handle, because
 * destroying a handle in use is the app's error in Vulkan.
 */
#ifndef UIS_DISPATCH_H
#define UIS_DISPATCH_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include <vulkan/vk_layer.h>
#include <vulkan/vulkan_core.h>

/* What the two window system headers need, declared here so that building the
 * layer does not take the X headers. */
typedef struct xcb_connection_t xcb_connection_t;
typedef uint32_t xcb_window_t;
typedef uint32_t xcb_visualid_t;
typedef struct _XDisplay Display;
typedef unsigned long Window;
typedef unsigned long VisualID;
#include <vulkan/vulkan_xcb.h>
#include <vulkan/vulkan_xlib.h>

#define UIS_INSTANCE_FUNCTIONS(X)                                                                  \
    X(DestroyInstance)                                                                             \
    X(EnumeratePhysicalDevices)                                                                    \
    X(EnumeratePhysicalDeviceGroups)                                                               \
    X(EnumeratePhysicalDeviceGroupsKHR)                                                            \
    X(EnumerateDeviceExtensionProperties)                                                          \
    X(GetPhysicalDeviceProperties)                                                                 \
    X(GetPhysicalDeviceProperties2)                                                                \
    X(GetPhysicalDeviceFeatures2)                                                                  \
    X(GetPhysicalDeviceImageFormatProperties2)                                                     \
    X(GetPhysicalDeviceExternalBufferProperties)                                                   \
    X(GetPhysicalDeviceExternalSemaphoreProperties)                                                \
    X(GetPhysicalDeviceMemoryProperties)                                                           \
    X(GetPhysicalDeviceQueueFamilyProperties)                                                      \
    X(GetPhysicalDeviceFormatProperties)                                                           \
    X(GetPhysicalDeviceSurfaceSupportKHR)                                                          \
    X(GetPhysicalDeviceSurfaceCapabilitiesKHR)                                                     \
    X(GetPhysicalDeviceSurfaceCapabilities2KHR)                                                    \
    X(GetPhysicalDeviceSurfaceCapabilities2EXT)                                                    \
    X(GetPhysicalDeviceSurfaceFormatsKHR)                                                          \
    X(GetPhysicalDeviceSurfaceFormats2KHR)                                                         \
    X(GetPhysicalDeviceSurfacePresentModesKHR)                                                     \
    X(GetPhysicalDevicePresentRectanglesKHR)                                                       \
    X(GetPhysicalDeviceXcbPresentationSupportKHR)                                                  \
    X(GetPhysicalDeviceXlibPresentationSupportKHR)                                                 \
    X(CreateXcbSurfaceKHR)                                                                         \
    X(CreateXlibSurfaceKHR)                                                                        \
    X(DestroySurfaceKHR)

#define UIS_DEVICE_FUNCTIONS(X)                                                                    \
    X(DestroyDevice)                                                                               \
    X(GetDeviceQueue)                                                                              \
    X(GetDeviceQueue2)                                                                             \
    X(QueueSubmit)                                                                                 \
    X(QueueSubmit2)                                                                                \
    X(QueueSubmit2KHR)                                                                             \
    X(QueueBindSparse)                                                                             \
    X(QueueWaitIdle)                                                                               \
    X(DeviceWaitIdle)                                                                              \
    X(QueueBeginDebugUtilsLabelEXT)                                                                \
    X(QueueEndDebugUtilsLabelEXT)                                                                  \
    X(QueueInsertDebugUtilsLabelEXT)                                                               \
    X(SetDebugUtilsObjectNameEXT)                                                                  \
    X(SetDebugUtilsObjectTagEXT)                                                                   \
    X(CreateImage)                                                                                 \
    X(DestroyImage)                                                                                \
    X(GetImageMemoryRequirements)                                                                  \
    X(GetImageMemoryRequirements2)                                                                 \
    X(GetMemoryFdKHR)                                                                              \
    X(GetSemaphoreFdKHR)                                                                           \
    X(AllocateMemory)                                                                              \
    X(FreeMemory)                                                                                  \
    X(BindImageMemory)                                                                             \
    X(CreateBuffer)                                                                                \
    X(DestroyBuffer)                                                                               \
    X(GetBufferMemoryRequirements)                                                                 \
    X(BindBufferMemory)                                                                            \
    X(GetMemoryHostPointerPropertiesEXT)                                                           \
    X(MapMemory)                                                                                   \
    X(InvalidateMappedMemoryRanges)                                                                \
    X(CreateFence)                                                                                 \
    X(DestroyFence)                                                                                \
    X(ResetFences)                                                                                 \
    X(WaitForFences)                                                                               \
    X(CreateSemaphore)                                                                             \
    X(DestroySemaphore)                                                                            \
    X(CreateCommandPool)                                                                           \
    X(DestroyCommandPool)                                                                          \
    X(AllocateCommandBuffers)                                                                      \
    X(BeginCommandBuffer)                                                                          \
    X(EndCommandBuffer)                                                                            \
    X(CmdPipelineBarrier)                                                                          \
    X(CmdCopyImageToBuffer)                                                                        \
    X(CreateSwapchainKHR)                                                                          \
    X(DestroySwapchainKHR)                                                                         \
    X(GetSwapchainImagesKHR)                                                                       \
    X(AcquireNextImageKHR)                                                                         \
    X(AcquireNextImage2KHR)                                                                        \
    X(QueuePresentKHR)                                                                             \
    X(GetDeviceGroupPresentCapabilitiesKHR)                                                        \
    X(GetDeviceGroupSurfacePresentModesKHR)

#define UIS_FUNCTION_MEMBER(name) PFN_vk##name name;
typedef struct uis_instance_table {
    UIS_INSTANCE_FUNCTIONS(UIS_FUNCTION_MEMBER)
} uis_instance_table;
typedef struct uis_device_table {
    UIS_DEVICE_FUNCTIONS(UIS_FUNCTION_MEMBER)
} uis_device_table;
#undef UIS_FUNCTION_MEMBER

struct uis_surface;
struct uis_queue;
struct uis_swapchain;
struct uis_readback;
struct uis_cuda;

typedef struct uis_instance {
    struct uis_instance *next_instance;
    void *key;
    VkInstance handle;
    PFN_vkGetInstanceProcAddr get_proc_addr;
    PFN_GetPhysicalDeviceProcAddr get_physical_device_proc_addr; /* may be NULL */
    uis_instance_table next;
    uint32_t api_version;    /* the app's VkApplicationInfo.apiVersion */
    char device[64];         /* UIS_DEVICE, or empty */
    bool choice_made;        /* (lock) the next one is settled: device_select.c */
    VkPhysicalDevice chosen; /* (lock) the one that UIS_DEVICE names, or NULL */
    bool passthrough;        /* UIS_WSI */
    uint32_t capture;        /* UIS_CAPTURE: a UIS_CAPTURE_* of frame_ring.h */
    uint64_t pace_period_ns; /* from UIS_PACE_HZ; 0: unpaced */
    pthread_mutex_t lock;    /* surfaces, chosen */
    struct uis_surface *surfaces;
} uis_instance;

typedef struct uis_device {
    struct uis_device *next_device;
    void *key;
    VkDevice handle;
    VkPhysicalDevice physical_device;
    uis_instance *instance;
    PFN_vkGetDeviceProcAddr get_proc_addr;
    PFN_vkSetDeviceLoaderData set_loader_data;
    uis_device_table next;
    VkPhysicalDeviceProperties properties;
    VkPhysicalDeviceMemoryProperties memory;
    bool swapchain_enabled;    /* the app enabled VK_KHR_swapchain */
    bool driver_takes_regions; /* VK_KHR_incremental_present reached the driver */
    uint32_t first_family;     /* of the first queue the app asked for, flags 0 */
    struct uis_queue *queues;  /* (atomic) grows at the head, freed with the device */
    bool host_import;          /* VK_EXT_external_memory_host is enabled */
    bool core_1_1;             /* instance and device: memory requirements 2, dedicated memory */
    struct uis_cuda *cuda;     /* the same GPU in CUDA, for zero-copy, or NULL: host capture */
    char no_zero_copy[200];    /* why it is NULL though it was asked for */
    pthread_mutex_t lock;      /* swapchains, readback, import_tried, ring_* */
    struct uis_swapchain *swapchains;
    struct uis_readback *readback; /* started with the first swapchain, or NULL */
    bool import_tried;             /* the next two are settled: host_import.c */
    VkBuffer ring_buffer;
    VkDeviceMemory ring_memory;
} uis_device;

static inline void *uis_dispatch_key(const void *handle) {
    return *(void *const *)handle;
}

void uis_instance_register(uis_instance *instance);
uis_instance *uis_instance_find(const void *handle);
uis_instance *uis_instance_unregister(const void *handle);
/* Instances that exist in this process now. */
unsigned uis_instance_count(void);

void uis_device_register(uis_device *device);
uis_device *uis_device_find(const void *handle);
uis_device *uis_device_unregister(const void *handle);
/* Devices that exist in this process now. */
unsigned uis_device_count(void);

void uis_instance_load(uis_instance *instance);
void uis_device_load(uis_device *device);

/* The first type in `allowed` that has all of `wanted`, or UINT32_MAX. Types that only
 * devices with some feature may use (protected, AMD's device coherent, NVIDIA's RDMA) are
 * passed over. */
uint32_t uis_memory_type(const uis_device *device, uint32_t allowed, VkMemoryPropertyFlags wanted);

#endif
