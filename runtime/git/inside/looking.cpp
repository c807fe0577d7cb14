#include "runtime/git/inside/looking.hpp"

#include "runtime/base/hex.hpp"
#include "runtime/git/inside/staging.hpp"

#include <algorithm>
#include <charconv>

namespace greenroom::git {

namespace {

constexpr const char* what_status_is = "tell the status of the checkout";
constexpr const char* what_diff_is = "compare the checkout with its base";

// Where the index cannot be read, one made from HEAD stands for it.
command_result with_some_index(const repo& in, git_call call) {
  auto result = in.run(call);
  if (result.ok() || take_inventory(in))
    return result;
  scratch_index made{in, in.look(), false};
  auto env = made.env();
  call.env.insert(call.env.end(), env.begin(), env.end());
  return in.run(call);
}

std::size_t number(std::string_view text) {
  std::size_t result = 0;
  std::from_chars(text.data(), text.data() + text.size(), result);
  return result;
}

void cut(std::string& text) {
  if (text.size() <= max_diff)
    return;
  text.resize(text.find_last_of('\n', max_diff) + 1);
  text += "\n(cut here: the diff is longer than 4 MiB)\n";
}

// Untracked files show in a diff once an index notes that they are meant.
void note_untracked(const repo& in, const std::vector<std::string>& env) {
  auto others = in.ask(
    {{"ls-files", "-o", "--exclude-standard", "-z"}, {}, env}, what_diff_is);
  std::string paths;
  for (const auto& path : split(others, '\0'))
    if (!path.ends_with('/')) // another repository
      paths += path + '\0';
  if (paths.empty())
    return;
  auto literal = env;
  literal.push_back("GIT_LITERAL_PATHSPECS=1");
  in.ask({{"add", "--intent-to-add", "--sparse", "--pathspec-from-file=-",
           "--pathspec-file-nul"},
          paths,
          literal},
         what_diff_is);
}

// Those of a file that is gone would count while it is in the index, but not
// for `git add -A`.
void forget_gone_attributes(const repo& in,
                            const std::vector<std::string>& env) {
  auto gone = in.ask(
    {{"ls-files", "-d", "-z", "--", ":(glob)**/.gitattributes"}, {}, env},
    what_diff_is);
  if (!gone.empty())
    in.ask({{"update-index", "--force-remove", "-z", "--stdin"}, gone, env},
           what_diff_is);
}

std::string diff_from(const repo& in, const std::string& base,
                      const std::vector<std::string>& env) {
  auto result = in.run({{"-c",
                         "core.bigFileThreshold=8m",
                         "-c",
                         "diff.noprefix=false",
                         "-c",
                         "diff.mnemonicPrefix=false",
                         "diff",
                         "--no-ext-diff",
                         "--no-textconv",
                         "--no-color",
                         "--src-prefix=a/",
                         "--dst-prefix=b/",
                         "--unified=3",
                         "--find-renames",
                         "--submodule=short",
                         "--no-relative",
                         "-O/dev/null",
                         "--patch",
                         base,
                         "--"},
                        {},
                        env,
                        -1,
                        max_diff + 65536});
  if (!result.ok())
    fail(what_diff_is, result);
  return std::move(result.out);
}

} // namespace

checkout_status status(const checkout_paths& paths) {
  auto in = repo::of(paths);
  auto result = with_some_index(
    in, {{"status", "--porcelain=v2", "--branch", "-z", "--untracked-files=all",
          "--no-renames", "--no-ahead-behind", "--ignore-submodules=none"}});
  if (!result.ok())
    fail(what_status_is, result);
  constexpr std::string_view oid = "# branch.oid ";
  constexpr std::string_view head = "# branch.head ";
  checkout_status found;
  for (const auto& line : split(result.out, '\0'))
    if (line.starts_with(oid)) {
      if (auto value = line.substr(oid.size()); value != "(initial)")
        found.head = value;
    } else if (line.starts_with(head)) {
      if (auto value = line.substr(head.size()); value != "(detached)")
        found.branch = value;
    } else if (!line.starts_with("# ")) {
      ++found.dirty_files;
    }
  if (found.head && found.head->size() != sha1_digits)
    in.look(); // which refuses it
  return found;
}

divergence compare_head(const checkout_paths& paths,
                        const std::string& commit) {
  auto text = repo::of(paths).ask(
    {{"rev-list", "--left-right", "--count", "HEAD..." + commit, "--"}},
    "compare HEAD with the upstream");
  auto tab = std::min(text.find('\t'), text.size());
  return {
    number(std::string_view{text}.substr(0, tab)),
    number(std::string_view{text}.substr(std::min(tab + 1, text.size())))};
}

std::string diff_work(const checkout_paths& paths,
                      const std::vector<std::string>& bases) {
  auto in = repo::of(paths);
  auto at = in.look();
  scratch_index index{in, at, take_inventory(in).has_value()};
  forget_gone_attributes(in, index.env());
  note_untracked(in, index.env());
  std::string base;
  if (!bases.empty()) {
    git_call call{{"merge-base", "HEAD"}};
    call.args.insert(call.args.end(), bases.begin(), bases.end());
    base = in.find(call).value_or(bases.front());
  }
  auto text = diff_from(in, base.empty() ? empty_tree : base, index.env());
  cut(text);
  return text;
}

std::optional<std::string> branch_tip(const checkout_paths& paths,
                                      std::string_view branch) {
  auto name = std::string{branch_space} + std::string{branch};
  return repo::of(paths).find(
    {{"rev-parse", "-q", "--verify", "--end-of-options", name + "^{commit}"}});
}

} // namespace greenroom::git
