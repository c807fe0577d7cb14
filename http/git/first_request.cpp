#include "http/git/first_request.hpp"

#include "http/git/pkt_line.hpp"
#include "runtime/git/common/refs.hpp"

#include <algorithm>

namespace greenroom::http::git_http {

namespace {

constexpr std::size_t max_refs = 16;

} // namespace

// git asks for `refs/a/b` also as refs/tags/refs/a/b, and so on.
bool is_unusual(std::string_view name) {
  constexpr std::string_view space = "refs/";
  if (!name.starts_with(space) || name.find('/', space.size()) == name.npos)
    return false;
  for (std::string_view usual :
       {"refs/heads/", "refs/tags/", "refs/remotes/", "refs/refs/",
        "refs/greenroom/", "refs/upstream/"})
    if (name.starts_with(usual))
      return false;
  if (name.ends_with('/'))
    name.remove_suffix(1);
  return !git::name_fault(name.substr(space.size()));
}

std::optional<std::size_t> request_size(std::string_view bytes) {
  std::size_t seen = 0;
  return request_size(bytes, seen);
}

std::optional<std::size_t> request_size(std::string_view bytes,
                                        std::size_t& seen) {
  while (auto next = first_packet(bytes.substr(seen))) {
    seen += next->size;
    if (next->special
        && bytes.substr(seen - next->size, next->size) == flush_packet)
      return seen;
  }
  return std::nullopt;
}

std::vector<std::string> unusual_refs(std::string_view request) {
  constexpr std::string_view mark = "ref-prefix ";
  std::vector<std::string> result;
  auto first = first_packet(request);
  if (!first || without_line_break(first->payload) != "command=ls-refs")
    return result;
  while (auto next = first_packet(request)) {
    request.remove_prefix(next->size);
    auto line = without_line_break(next->payload);
    if (!line.starts_with(mark) || result.size() == max_refs)
      continue;
    line.remove_prefix(mark.size());
    if (is_unusual(line) && std::ranges::find(result, line) == result.end())
      result.emplace_back(line);
  }
  return result;
}

} // namespace greenroom::http::git_http
