#include "runtime/git/mirror/view.hpp"

#include "runtime/base/files.hpp"

namespace greenroom::git {

namespace fs = std::filesystem;

namespace {

constexpr const char* settings = "[core]\n"
                                 "\trepositoryformatversion = 0\n"
                                 "\tbare = true\n";

void put(const fs::path& file, const std::string& text) {
  if (read_file(file) != text)
    write_file_atomic(file, text, 0644, false);
}

} // namespace

fs::path refresh_view(const mirror& of, const std::string& default_branch) {
  auto view = of.path() / "view.git";
  ensure_dir(view / "objects/info");
  ensure_dir(view / "refs/heads");
  std::string refs;
  for (const auto& [name, id] : of.upstream_refs())
    refs += id + " refs/" + name + '\n';
  for (const auto& [name, id] : of.asked_refs())
    refs += id + " refs/" + name + '\n';
  put(view / "objects/info/alternates",
      (of.path() / "objects").string() + '\n');
  put(view / "config", settings);
  put(view / "packed-refs", refs);
  // Last: without it git takes the directory for no repository.
  put(view / "HEAD", "ref: refs/heads/" + default_branch + '\n');
  return view;
}

} // namespace greenroom::git
