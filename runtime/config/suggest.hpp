// What somebody who mistyped a key may have meant.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace greenroom {

/// "http.lisen is not a known key; did you mean http.listen?". `known` are all
/// paths of the table; their sections are candidates too.
std::string unknown_key(const std::string& prefix, const std::string& path,
                        const std::vector<std::string_view>& known);

} // namespace greenroom
