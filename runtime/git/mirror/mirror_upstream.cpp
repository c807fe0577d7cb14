// The mirror and its upstream: what only the `git` program can do.
#include "runtime/git/mirror/mirror.hpp"

#include "messages/errors.hpp"
#include "runtime/git/common/refs.hpp"
#include "runtime/git/mirror/git_process.hpp"
#include "runtime/git/mirror/handles.hpp"

#include <algorithm>
#include <cstddef>
#include <string_view>

namespace greenroom::git {

namespace {

// How many references one call pushes: arguments are limited.
constexpr std::size_t push_batch = 256;

constexpr std::chrono::seconds look_timeout{20};
constexpr std::chrono::seconds push_timeout{100};
constexpr std::chrono::minutes fetch_timeout{10};

// How much an upstream's hook may say.
constexpr std::size_t max_words = 1000;

// What `git push --porcelain` says about one reference, from
// "<flag>\t<from>:<to>\t<summary>".
struct pushed_ref {
  char flag = '!';
  std::string_view to;
  std::string_view summary;
};

std::vector<pushed_ref> parse_porcelain(std::string_view text) {
  std::vector<pushed_ref> result;
  while (!text.empty()) {
    auto end = std::min(text.find('\n'), text.size());
    auto line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    auto last = line.rfind('\t');
    if (line.size() < 2 || line[1] != '\t' || last < 2)
      continue;
    auto names = line.substr(2, last - 2);
    result.push_back(
      {line.front(), names.substr(names.find(':') + 1), line.substr(last + 1)});
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

// Where what the upstream has under a name is noted.
std::string asked_ref(const std::string& name) {
  return "refs/greenroom/asked/" + name.substr(5);
}

// What the upstream's own hooks say, on one line; empty: nothing.
std::string words_of_hook(std::string_view text) {
  constexpr std::string_view mark = "remote:";
  std::string words;
  while (!text.empty() && words.size() < max_words) {
    auto end = std::min(text.find('\n'), text.size());
    auto line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (!line.starts_with(mark))
      continue;
    line.remove_prefix(mark.size());
    auto begin = std::min(line.find_first_not_of(" \t"), line.size());
    line = line.substr(begin, line.find_last_not_of(" \t\r") + 1 - begin);
    if (!line.empty())
      words += (words.empty() ? "" : " ") + std::string{line};
  }
  for (auto& c : words)
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f)
      c = ' ';
  return without_credentials(words.substr(0, max_words));
}

// Why the upstream does not want a reference.
std::string refusal_of(const pushed_ref& ref, const command_result& result) {
  auto why = rejection(ref.summary);
  auto words = words_of_hook(result.err);
  return words.empty() ? why : why + "; it says: " + words;
}

// What `git ls-remote` prints, as mirror::upstream_refs has it.
std::map<std::string, std::string> parse_refs(std::string_view text) {
  constexpr std::string_view space = "refs/";
  std::map<std::string, std::string> result;
  while (!text.empty()) {
    auto end = std::min(text.find('\n'), text.size());
    auto line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    auto tab = line.find('\t');
    if (tab != line.npos && line.substr(tab + 1).starts_with(space))
      result.emplace(line.substr(tab + 1 + space.size()), line.substr(0, tab));
  }
  return result;
}

// Two that ask for the same at once: the objects are here, and the other one
// writes the reference. The upstream has nothing to do with it.
bool is_brought_by_others(const command_result& result) {
  auto says = [&](const char* words) {
    return result.err.find(words) != std::string::npos;
  };
  return says("cannot lock ref") && !says("No space left on device");
}

// By its kind alone: libgit2 reads fewer commits than git does.
bool is_commit(const std::filesystem::path& path, const std::string& id) {
  auto repo = open_mirror(path);
  odb_handle store;
  check(git_repository_odb(receive(store), repo.get()),
        "cannot open the objects");
  const auto object = to_oid(id);
  std::size_t size = 0;
  auto kind = GIT_OBJECT_INVALID;
  return git_odb_read_header(&size, &kind, store.get(), &object) == 0
         && kind == GIT_OBJECT_COMMIT;
}

// To git's push 40 digits are a branch, where one is called so, and no id.
std::string by_id(const std::string& commit) {
  return commit + "^0";
}

// One that has nothing yet looks alike in any format, until it is pushed to.
void refuse_other_hash(const mirror& m) {
  constexpr std::string_view scheme = "file://";
  auto place = m.upstream();
  if (place.starts_with(scheme))
    place.erase(0, scheme.size());
  if (!place.starts_with('/'))
    return;
  for (const std::string config : {"/config", "/.git/config"}) {
    server_git call{
      m.path(),
      {"config", "--file", place + config, "--get", "extensions.objectformat"}};
    if (auto told = git::run(call); told.out.starts_with("sha256"))
      throw refused{errc::conflict, upstream_client::other_hash};
  }
}

} // namespace

void mirror::fetch() const {
  // Whether it is there at all shows soon; what it has may take long.
  server_git look{
    path_,
    {"ls-remote", "--quiet", "--heads", "--tags", "--refs", "--", upstream()}};
  look.timeout = look_timeout;
  look.max_output = max_list; // a longer one is fetched unseen
  auto seen = line_->run(look, stop_fd_);
  if (!seen.result.ok())
    line_->fail(seen);
  if (seen.result.out.empty())
    refuse_other_hash(*this);
  if (!seen.result.truncated && parse_refs(seen.result.out) == upstream_refs())
    return;
  // Only these two name spaces are pruned; refs/greenroom is in neither.
  server_git call{path_,
                  {"fetch", "--quiet", "--prune", "--no-tags",
                   "--no-write-fetch-head", "--no-auto-maintenance",
                   "--no-recurse-submodules", "--", upstream(),
                   "+refs/heads/*:refs/upstream/heads/*",
                   "+refs/tags/*:refs/upstream/tags/*"}};
  call.timeout = fetch_timeout;
  auto held = hold_upstream_refs();
  if (!held)
    throw refused{errc::unavailable, upstream_client::node_stops};
  auto called = line_->run(call, stop_fd_);
  if (!called.result.ok())
    line_->fail(called);
  // git takes none of those references, and calls that a success.
  if (called.result.err.find("shallow roots are not allowed")
      != std::string::npos)
    throw refused{errc::conflict,
                  "the upstream is a shallow clone, so its history is cut off; "
                  "complete it there by `git fetch --unshallow`"};
}

void mirror::fetch_head() const {
  server_git look{
    path_, {"ls-remote", "--quiet", "--symref", "--", upstream(), "HEAD"}};
  look.timeout = look_timeout;
  auto seen = line_->run(look, stop_fd_);
  if (!seen.result.ok())
    line_->fail(seen);
  // "ref: refs/heads/main\tHEAD"
  constexpr std::string_view mark = "ref: refs/heads/";
  std::string_view text = seen.result.out;
  auto end = text.find("\tHEAD\n");
  if (!text.starts_with(mark) || end == text.npos)
    return;
  auto name = text.substr(mark.size(), end - mark.size());
  if (!name_fault(name))
    record_head(name);
}

bool mirror::fetch_ref(const std::string& name) const {
  server_git look{path_, {"ls-remote", "--quiet", "--", upstream(), name}};
  look.timeout = look_timeout;
  auto seen = line_->run(look, stop_fd_);
  if (!seen.result.ok())
    line_->fail(seen);
  if (seen.result.out.find('\t' + name + '\n') == std::string::npos)
    return false;
  server_git call{path_,
                  {"fetch", "--quiet", "--no-tags", "--no-write-fetch-head",
                   "--no-auto-maintenance", "--no-recurse-submodules", "--",
                   upstream(), '+' + name + ':' + asked_ref(name)}};
  call.timeout = fetch_timeout;
  auto called = line_->run(call, stop_fd_);
  if (!called.result.ok() && !is_brought_by_others(called.result))
    line_->fail(called);
  return true;
}

void mirror::fetch_asked(const std::string& beginning) const {
  fetch_specs({'+' + beginning + "*:" + asked_ref(beginning) + '*',
               "^refs/heads/*", "^refs/tags/*", "^refs/greenroom/*"});
}

bool mirror::fetch_commit(const std::string& id) const {
  return fetch_specs(
    {'+' + id + ':' + asked_ref("refs/greenroom/commits/" + id)});
}

// False where the upstream has no such thing.
bool mirror::fetch_specs(const std::vector<std::string>& specs) const {
  server_git call{path_,
                  {"fetch", "--quiet", "--prune", "--no-tags",
                   "--no-write-fetch-head", "--no-auto-maintenance",
                   "--no-recurse-submodules", "--", upstream()}};
  call.args.insert(call.args.end(), specs.begin(), specs.end());
  call.timeout = fetch_timeout;
  auto called = line_->run(call, stop_fd_);
  if (called.result.ok() || is_brought_by_others(called.result))
    return true;
  // How servers of all ages say that they have none, or do not give it.
  for (std::string_view mark :
       {"not our ref", "unadvertised object", "no such remote ref",
        "couldn't find remote ref"})
    if (called.result.err.find(mark) != std::string::npos)
      return false;
  line_->fail(called);
}

push_outcome mirror::push(std::string_view branch, const std::string& commit,
                          const std::optional<std::string>& old,
                          std::uint64_t bytes) const {
  if (!is_commit(path_, commit))
    throw refused{errc::conflict,
                  "a branch leads to a commit, and " + commit + " is none"};
  auto target = "refs/heads/" + std::string{branch};
  server_git call{path_,
                  {"push", "--porcelain", "--no-verify",
                   "--no-recurse-submodules",
                   "--force-with-lease=" + target + ':' + old.value_or(""),
                   "--", upstream(), by_id(commit) + ':' + target}};
  call.timeout = push_timeout + time_for(bytes);
  auto called = line_->run(call, stop_fd_);
  auto refs = parse_porcelain(called.result.out);
  if (called.result.ok()) {
    record_pushed(branch, commit);
    return push_outcome::ok;
  }
  if (refs.empty() || called.result.timed_out)
    line_->fail(called);
  if (refs.front().summary.find("(stale info)") != std::string_view::npos)
    return push_outcome::moved;
  throw refused{errc::conflict,
                "the upstream refused branch \"" + std::string{branch}
                  + "\": " + refusal_of(refs.front(), called.result)};
}

std::optional<std::string>
mirror::push_refs(const std::vector<std::string>& names,
                  std::chrono::seconds timeout) const {
  std::vector<leased_push> all;
  for (const auto& name : names)
    all.push_back({name, name, ref(asked_ref(name)).value_or("")});
  return push_leased(all, timeout).failure;
}

std::optional<std::string>
mirror::drop_upstream_ref(const std::string& name) const {
  server_git call{path_,
                  {"push", "--porcelain", "--no-verify",
                   "--no-recurse-submodules", "--", upstream(), ':' + name}};
  return push_some(call, push_timeout).failure;
}

std::map<std::string, std::string>
mirror::ask_upstream(const std::string& space, std::size_t most) const {
  server_git look{path_,
                  {"ls-remote", "--quiet", "--", upstream(), space + '*'}};
  look.timeout = look_timeout;
  look.max_output = most;
  auto seen = line_->run(look, stop_fd_);
  // All may be too many to come in time. That says nothing of what others ask
  // for, which is less.
  if (seen.result.timed_out && space == "refs/")
    throw refused{errc::unavailable,
                  "the upstream takes too long to list its references"};
  if (!seen.result.ok())
    line_->fail(seen);
  if (seen.result.truncated) // within a line
    seen.result.out.resize(seen.result.out.rfind('\n') + 1);
  std::map<std::string, std::string> result;
  for (auto& [rest, id] : parse_refs(seen.result.out))
    if (auto name = "refs/" + rest; name.starts_with(space))
      result.emplace(std::move(name), id);
  return result;
}

// A push that stalls, or comes late from a node that does not have the session
// any more, must not replace what the next node has saved.
push_results mirror::push_leased(const std::vector<leased_push>& all,
                                 std::chrono::seconds timeout) const {
  push_results results;
  for (std::size_t begin = 0; begin < all.size(); begin += push_batch) {
    auto end = std::min(begin + push_batch, all.size());
    server_git call{
      path_, {"push", "--porcelain", "--no-verify", "--no-recurse-submodules"}};
    for (auto i = begin; i < end; ++i)
      call.args.push_back("--force-with-lease=" + all[i].to + ':'
                          + all[i].expected);
    call.args.insert(call.args.end(), {"--", upstream()});
    for (auto i = begin; i < end; ++i)
      call.args.push_back(all[i].name + ':' + all[i].to);
    auto some = push_some(call, timeout);
    if (some.failure)
      results.failure = std::move(some.failure);
    results.there.merge(some.there);
    results.made.merge(some.made);
    if (results.failure && !results.failure->starts_with(upstream_refused))
      break; // it is away
  }
  return results;
}

push_results mirror::push_some(server_git& call,
                               std::chrono::seconds timeout) const try {
  push_results results;
  call.timeout = timeout;
  auto called = line_->run(call);
  auto refs = parse_porcelain(called.result.out);
  for (const auto& ref : refs) {
    if (ref.flag == '!') {
      if (!results.failure)
        results.failure = upstream_refused + refusal_of(ref, called.result);
      continue;
    }
    results.there.emplace(ref.to);
    if (ref.flag != '=')
      results.made.emplace(ref.to);
  }
  if (!called.result.ok() && !results.failure)
    line_->fail(called);
  return results;
} catch (const refused& away) {
  return {away.what(), {}, {}};
}

} // namespace greenroom::git
