#include "runtime/git/mirror/diff_merge.hpp"

namespace greenroom::git {

namespace {

constexpr git_off_t max_text_file = git_off_t{8} << 20;

struct printer {
  std::string text;
  bool cut = false;
};

int print_line(const git_diff_delta*, const git_diff_hunk*,
               const git_diff_line* line, void* to) {
  auto& out = *static_cast<printer*>(to);
  auto marked = line->origin == GIT_DIFF_LINE_CONTEXT
                || line->origin == GIT_DIFF_LINE_ADDITION
                || line->origin == GIT_DIFF_LINE_DELETION;
  if (out.text.size() + line->content_len + marked > max_diff) {
    out.cut = true;
    return GIT_EUSER;
  }
  if (marked)
    out.text += line->origin;
  out.text.append(line->content, line->content_len);
  return 0;
}

// Whether files have come or gone that would only be shown as binary. What
// their sizes are is in no tree.
bool has_large_files(git_diff* diff, git_repository* repo) {
  odb_handle objects;
  check(git_repository_odb(receive(objects), repo), "cannot open objects");
  for (std::size_t i = 0; i < git_diff_num_deltas(diff); ++i) {
    const auto* delta = git_diff_get_delta(diff, i);
    const auto gone = delta->status == GIT_DELTA_DELETED;
    if (!gone && delta->status != GIT_DELTA_ADDED)
      continue;
    const auto& file = gone ? delta->old_file : delta->new_file;
    std::size_t size = 0;
    git_object_t type{};
    if (git_odb_read_header(&size, &type, objects.get(), &file.id) == 0
        && size > static_cast<std::size_t>(max_text_file))
      return true;
  }
  return false;
}

// Files that are alike are found by reading all that have come or gone, each
// whole.
void find_renames(git_diff* diff, git_repository* repo) {
  git_diff_find_options options = GIT_DIFF_FIND_OPTIONS_INIT;
  if (has_large_files(diff, repo))
    options.flags = GIT_DIFF_FIND_RENAMES | GIT_DIFF_FIND_EXACT_MATCH_ONLY;
  check(git_diff_find_similar(diff, &options), "cannot find renamed files");
}

} // namespace

git_diff_options diff_settings() {
  git_diff_options options = GIT_DIFF_OPTIONS_INIT;
  options.max_size = max_text_file;
  return options;
}

std::string print(git_diff* diff, git_repository* repo) {
  find_renames(diff, repo);
  printer out;
  auto code = git_diff_print(diff, GIT_DIFF_FORMAT_PATCH, print_line, &out);
  if (!out.cut)
    check(code, "cannot write a diff");
  else
    out.text += "\n(cut here: the diff is longer than 4 MiB)\n";
  return std::move(out.text);
}

tree_handle tree_at(git_repository* repo, const std::string& commit) {
  tree_handle tree;
  if (commit.empty())
    return tree;
  auto id = to_oid(commit);
  commit_handle found;
  check(git_commit_lookup(receive(found), repo, &id),
        "cannot read commit " + commit);
  check(git_commit_tree(receive(tree), found.get()),
        "cannot read the tree of commit " + commit);
  return tree;
}

merge_kind compare(git_repository* repo, const git_oid& target,
                   const git_oid& branch) {
  git_oid base;
  auto code = git_merge_base(&base, repo, &target, &branch);
  if (code == GIT_ENOTFOUND)
    return merge_kind::unrelated;
  check(code, "cannot compare two commits");
  if (git_oid_equal(&base, &branch) != 0)
    return merge_kind::up_to_date;
  if (git_oid_equal(&base, &target) != 0)
    return merge_kind::fast_forward;
  return merge_kind::merge;
}

} // namespace greenroom::git
