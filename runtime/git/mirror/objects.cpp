#include "runtime/git/mirror/objects.hpp"

namespace greenroom::git {

namespace {

constexpr int max_tags = 100; // that lead to one another

struct search {
  git_odb* objects = nullptr;
  std::optional<git_oid> found;
};

// Ends the search, by a code that nothing else answers.
constexpr int found_one = GIT_EUSER;

int look_at(const git_oid* id, void* payload) {
  auto& all = *static_cast<search*>(payload);
  std::size_t size = 0;
  auto type = GIT_OBJECT_INVALID;
  if (auto code = git_odb_read_header(&size, &type, all.objects, id); code != 0)
    return code;
  if (type == GIT_OBJECT_BLOB || size <= max_whole_object)
    return 0;
  all.found = *id;
  return found_one;
}

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

std::optional<git_oid> find_too_large(const std::filesystem::path& objects) {
  odb_handle opened;
  check(git_odb_open(receive(opened), objects.c_str()),
        "cannot open the objects");
  search all{opened.get(), std::nullopt};
  auto code = git_odb_foreach(opened.get(), look_at, &all);
  if (code != found_one)
    check(code, "cannot list the objects");
  return all.found;
}

} // namespace greenroom::git
