// What a command printed last, as text for a page.
#pragma once

#include <filesystem>
#include <string>

namespace greenroom::http::proxy {

/// The last lines of the exec whose log lies in `dir`, all streams in their
/// order: at most 20 of them and 8 KiB, without a terminal's escape sequences.
/// What is no UTF-8 is shown as `?`. Waits for the disk; throws
/// std::system_error.
std::string last_output(const std::filesystem::path& dir);

/// The same for bytes that a program printed.
std::string last_lines(std::string bytes);

} // namespace greenroom::http::proxy
