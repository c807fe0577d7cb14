// Text that others have written, for a terminal: commands, reasons, labels.
#pragma once

#include <string>
#include <string_view>

namespace greenroom::http::client {

/// The text with what would steer a terminal, or turn the order of its letters,
/// shown in place of done. Bytes of `as_they_are` stay.
std::string printable(std::string_view text, std::string_view as_they_are = "");

} // namespace greenroom::http::client
