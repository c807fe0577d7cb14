// The mirror's talk with its upstream: what only the `git` program can do.
#include "runtime/git/mirror.hpp"

#include "messages/errors.hpp"
#include "runtime/git/server_git.hpp"

#include <algorithm>
#include <string_view>

namespace greenroom::git {

namespace {

// How many references one call pushes: arguments are limited.
constexpr std::size_t push_batch = 256;

// What `git push --porcelain` says about one reference, from
// "<flag>\t<from>:<to>\t<summary>".
struct pushed_ref {
  char flag = '!';
  std::string_view summary;
};

std::vector<pushed_ref> parse_porcelain(std::string_view text) {
  std::vector<pushed_ref> result;
  while (!text.empty()) {
    auto end = std::min(text.find('\n'), text.size());
    auto line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    auto last = line.rfind('\t');
    if (line.size() > 1 && line[1] == '\t' && last > 1)
      result.push_back({line.front(), line.substr(last + 1)});
  }
  return result;
}

// "[remote rejected] (branch is currently checked out)" without its brackets.
std::string rejection(std::string_view summary) {
  auto begin = summary.find('(');
  auto end = summary.rfind(')');
  if (begin == summary.npos || end == summary.npos || end < begin)
    return std::string{summary};
  return std::string{summary.substr(begin + 1, end - begin - 1)};
}

[[noreturn]] void unreachable(const std::string& why) {
  throw refused{errc::unavailable, "the upstream cannot be reached: " + why};
}

} // namespace

void mirror::fetch(std::chrono::milliseconds timeout) const {
  // Only these two name spaces are pruned; refs/greenroom is in neither.
  server_git call{path_,
                  {"fetch", "--quiet", "--prune", "--no-tags",
                   "--no-write-fetch-head", "--no-auto-maintenance",
                   "--no-recurse-submodules", "--", upstream_,
                   "+refs/heads/*:refs/upstream/heads/*",
                   "+refs/tags/*:refs/upstream/tags/*"}};
  call.timeout = timeout;
  auto held = hold_upstream_refs();
  if (auto result = run(call); !result.ok())
    unreachable(reason(result));
}

push_outcome mirror::push(std::string_view branch, const std::string& commit,
                          const std::optional<std::string>& old) const {
  auto target = "refs/heads/" + std::string{branch};
  auto result =
    run({path_,
         {"push", "--porcelain", "--no-verify", "--no-recurse-submodules",
          "--force-with-lease=" + target + ':' + old.value_or(""), "--",
          upstream_, commit + ':' + target}});
  auto refs = parse_porcelain(result.out);
  if (result.ok()) {
    record_pushed(branch, commit);
    return push_outcome::ok;
  }
  if (refs.empty() || result.timed_out)
    unreachable(reason(result));
  if (refs.front().summary.find("(stale info)") != std::string_view::npos)
    return push_outcome::moved;
  throw refused{errc::conflict, "the upstream refused branch \""
                                  + std::string{branch}
                                  + "\": " + rejection(refs.front().summary)};
}

std::optional<std::string>
mirror::push_refs(const std::vector<std::string>& names) const {
  std::optional<std::string> failure;
  for (std::size_t begin = 0; begin < names.size(); begin += push_batch) {
    server_git call{path_,
                    {"push", "--porcelain", "--no-verify",
                     "--no-recurse-submodules", "--", upstream_}};
    auto end = std::min(begin + push_batch, names.size());
    for (auto i = begin; i < end; ++i)
      call.args.push_back('+' + names[i] + ':' + names[i]);
    auto result = run(call);
    if (result.ok())
      continue;
    failure = reason(result);
    auto refs = parse_porcelain(result.out);
    auto bad = std::find_if(refs.begin(), refs.end(),
                            [](const auto& ref) { return ref.flag == '!'; });
    if (bad != refs.end())
      failure = "the upstream refused: " + rejection(bad->summary);
  }
  return failure;
}

} // namespace greenroom::git
