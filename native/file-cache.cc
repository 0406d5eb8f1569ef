#include "file-cache.h"
#include <fcntl.h>
#include "error.h"

void DropBehind(const Napi::CallbackInfo& info) {
  const int fd = DescriptorArgument(info, 0);
  const double start = IntegerArgument(info, 1, "start", 0, kMaxSafeInteger);
  const double end = IntegerArgument(info, 2, "end", start, kMaxSafeInteger);
  const double written = IntegerArgument(info, 3, "written", 0, start);
  // Lengths of 0 would mean all of it. What is being written cannot be freed: to try costs a word to every CPU.
  if (end > start) {
    sync_file_range(fd, static_cast<off_t>(start), static_cast<off_t>(end - start), SYNC_FILE_RANGE_WRITE);
  }
  if (written > 0) posix_fadvise(fd, 0, static_cast<off_t>(written), POSIX_FADV_DONTNEED);
}
