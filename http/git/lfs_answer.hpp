// What git-lfs is told where it asks a session's clone URL for contents.
#pragma once

#include <string>
#include <string_view>

namespace greenroom::http::git_http {

/// That they are the upstream's to serve, and what to set: a body in the form
/// of the Git LFS API.
std::string lfs_refusal(std::string_view upstream, std::string_view request_id);

} // namespace greenroom::http::git_http
