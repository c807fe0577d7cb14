// Small files, read and written whole.
//
// Each function also takes a directory descriptor (or AT_FDCWD) that a
// relative path starts from, for directories that must not be looked up
// twice. All throw std::system_error, whose text names the path.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

namespace greenroom {

/// The whole content, or nullopt where there is no such file; so with those in
/// /proc of a process that is gone.
std::optional<std::string> read_file(const std::filesystem::path& path);
std::optional<std::string> read_file(int dir,
                                     const std::filesystem::path& path);

/// Replaces a file so that a reader sees the old text or the new one, never a
/// part: a temporary file beside it, then a rename. When it returns, the text
/// is with the kernel and survives this process; `durable` makes it survive a
/// power cut too, at the price of two fsyncs.
void write_file_atomic(const std::filesystem::path& path, std::string_view text,
                       mode_t mode, bool durable);
void write_file_atomic(int dir, const std::filesystem::path& path,
                       std::string_view text, mode_t mode, bool durable);

/// Makes the directory, and its parents, where they do not exist.
void ensure_dir(const std::filesystem::path& path, mode_t mode = 0700);

} // namespace greenroom
