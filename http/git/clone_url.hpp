// The URL that plain git clones a session from.
#pragma once

#include <string>
#include <string_view>

namespace greenroom::http {

struct options;

/// `http(s)://session:TOKEN@HOST/git/{project}/{sid}.git`, at http.public_url
/// or, where git has an endpoint of its own, at that. It holds the token: show
/// it to its owner and nobody else, and log it nowhere. Without a token it is
/// the URL alone, which may be shown.
std::string clone_url(const options& of, std::string_view project_id,
                      std::string_view session_id, std::string_view token);

} // namespace greenroom::http
