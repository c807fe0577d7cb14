#include "http/git/clone_url.hpp"

#include "http/base/options.hpp"

namespace greenroom::http {

namespace {

constexpr std::string_view scheme_end = "://";

/// The host of a base URL, without its port.
std::string_view host_of(std::string_view url) {
  url.remove_prefix(url.find(scheme_end) + scheme_end.size());
  if (url.starts_with('['))
    return url.substr(0, url.find(']') + 1);
  return url.substr(0, url.find(':'));
}

std::string own_endpoint(const options& of) {
  std::string host = of.git_host;
  // An address for all of the machine's is none to connect to.
  if (host == "0.0.0.0" || host == "::")
    host = host_of(of.public_url);
  else if (host.find(':') != std::string::npos)
    host = '[' + host + ']';
  return "http://" + host + ':' + std::to_string(of.git_port);
}

} // namespace

std::string clone_url(const options& of, std::string_view project_id,
                      std::string_view session_id, std::string_view token) {
  auto url = !of.git_url.empty()   ? of.git_url
             : of.git_host.empty() ? of.public_url
                                   : own_endpoint(of);
  if (!token.empty())
    url.insert(url.find(scheme_end) + scheme_end.size(),
               "session:" + std::string{token} + '@');
  url.append("/git/").append(project_id).append("/");
  return url.append(session_id).append(".git");
}

} // namespace greenroom::http
