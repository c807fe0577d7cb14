// JSON strings and base64, appended to a text that is being built.
//
// Output is encoded at some hundred megabytes a second on its way to watchers,
// which a JSON library's own strings are too slow for; what is escaped, and
// how, is the same as nlohmann's dump() does.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace greenroom {

/// Appends `utf8`, which must be valid UTF-8, as a JSON string with quotes.
void append_json_string(std::string& out, std::string_view utf8);

/// The same, unless the string would have more than `most` characters within
/// its quotes: then it returns false and leaves `out` as it was.
[[nodiscard]] bool append_json_string_within(std::string& out,
                                             std::string_view utf8,
                                             std::size_t most);

/// Appends standard base64 with padding.
void append_base64(std::string& out, std::string_view bytes);

} // namespace greenroom
