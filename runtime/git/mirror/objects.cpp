#include "runtime/git/mirror/objects.hpp"

namespace greenroom::git {

namespace {

constexpr int max_tags = 100; // that lead to one another

} // namespace

git_object_t type_of(git_repository* repo, const git_oid& id) {
  odb_handle objects;
  check(git_repository_odb(receive(objects), repo), "cannot open the objects");
  std::size_t size = 0;
  auto type = GIT_OBJECT_INVALID;
  auto code = git_odb_read_header(&size, &type, objects.get(), &id);
  if (code == GIT_ENOTFOUND)
    return GIT_OBJECT_INVALID;
  check(code, "cannot read object " + to_hex(id));
  return type;
}

std::optional<git_oid> peel_to_commit(git_repository* repo, git_oid id) {
  for (int i = 0; i < max_tags; ++i) {
    auto type = type_of(repo, id);
    if (type == GIT_OBJECT_COMMIT)
      return id;
    if (type != GIT_OBJECT_TAG)
      return std::nullopt;
    tag_handle tag;
    check(git_tag_lookup(receive(tag), repo, &id),
          "cannot read object " + to_hex(id));
    id = *git_tag_target_id(tag.get());
  }
  return std::nullopt;
}

} // namespace greenroom::git
