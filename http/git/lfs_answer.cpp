#include "http/git/lfs_answer.hpp"

#include <nlohmann/json.hpp>

namespace greenroom::http::git_http {

namespace {

// As git-lfs itself finds it from a repository's URL.
std::string lfs_url_of(std::string_view upstream) {
  if (!upstream.starts_with("http://") && !upstream.starts_with("https://"))
    return {};
  std::string result{upstream.substr(0, upstream.find_last_not_of('/') + 1)};
  if (!result.ends_with(".git"))
    result += ".git";
  return result + "/info/lfs";
}

} // namespace

std::string lfs_refusal(std::string_view upstream,
                        std::string_view request_id) {
  auto url = lfs_url_of(upstream);
  auto message =
    "greenroom: the contents of Git LFS files are not kept here; "
    + (url.empty()
         ? std::string{"set lfs.url to the server that has them: git config "
                       "lfs.url URL"}
         : "they are in the upstream: git config lfs.url " + url);
  return nlohmann::json{{"message", message},
                        {"documentation_url", "/docs/errors"},
                        {"request_id", request_id}}
    .dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

} // namespace greenroom::http::git_http
