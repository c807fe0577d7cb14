#include "http/git/first_request.hpp"

#include "http/git/pkt_line.hpp"
#include "runtime/git/common/refs.hpp"

#include <set>

namespace greenroom::http::git_http {

namespace {

constexpr std::size_t max_refs = 16;
constexpr std::size_t id_digits = 40;

constexpr std::string_view refs_space = "refs/";
constexpr std::string_view remotes_space = "refs/remotes/";
constexpr std::string_view head_of_remote = "/HEAD";

// What a request wants of the list, as git sends it: for `x` also refs/x,
// refs/remotes/x, refs/remotes/x/HEAD, and so on.
using wish_set = std::set<std::string_view>;

wish_set wishes_of(std::string_view request) {
  constexpr std::string_view mark = "ref-prefix ";
  wish_set result;
  while (auto next = first_packet(request)) {
    request.remove_prefix(next->size);
    auto line = without_line_break(next->payload);
    if (line.starts_with(mark))
      result.insert(line.substr(mark.size()));
  }
  return result;
}

// Every fetch of a branch tries such names; refs/pull/7/head for pull/7/head is
// mostly meant, where that is no branch.
bool is_only_tried(std::string_view name, const wish_set& all,
                   const std::function<bool(const std::string&)>& is_branch) {
  if (name.starts_with(remotes_space)) {
    name.remove_prefix(remotes_space.size());
    if (all.contains(name))
      return true;
    if (!name.ends_with(head_of_remote))
      return false;
    name.remove_suffix(head_of_remote.size());
    return all.contains(name);
  }
  name.remove_prefix(refs_space.size());
  return all.contains(name)
         && (name.find('/') == name.npos
             || (is_branch && is_branch(std::string{name})));
}

} // namespace

bool is_unusual(std::string_view name) {
  if (!name.starts_with(refs_space))
    return false;
  for (std::string_view other :
       {"refs/heads/", "refs/tags/", "refs/greenroom/"})
    if (name.starts_with(other))
      return false;
  return !git::name_fault(name.substr(refs_space.size()));
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

std::vector<std::string>
unusual_refs(std::string_view request,
             const std::function<bool(const std::string&)>& is_branch) {
  auto first = first_packet(request);
  if (!first || without_line_break(first->payload) != "command=ls-refs")
    return {};
  const auto wishes = wishes_of(request);
  if (wishes.contains(refs_space))
    return {std::string{refs_space}};
  std::vector<std::string> result;
  for (auto name : wishes) {
    auto whole = name.ends_with('/') ? name.substr(0, name.size() - 1) : name;
    if (is_unusual(whole) && is_unusual(std::string{name} + 'x')
        && !is_only_tried(name, wishes, is_branch) && result.size() < max_refs)
      result.emplace_back(name);
  }
  return result;
}

std::vector<std::string> unusual_wants(std::string_view request,
                                       const string_map& names) {
  constexpr std::string_view mark = "want ";
  std::set<std::string_view> wanted;
  while (auto next = first_packet(request)) {
    request.remove_prefix(next->size);
    auto line = without_line_break(next->payload);
    if (line.starts_with(mark))
      wanted.insert(line.substr(mark.size(), id_digits));
  }
  std::vector<std::string> result;
  for (const auto& [name, id] : names)
    if (wanted.contains(id) && is_unusual(name))
      result.push_back(name);
  if (result.size() > max_refs)
    return {std::string{refs_space}};
  return result;
}

} // namespace greenroom::http::git_http
