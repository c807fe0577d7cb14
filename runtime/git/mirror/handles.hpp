// libgit2's objects with one owner each, and its errors as exceptions.
//
// Only sources in runtime/git include this: no libgit2 type shows in another
// header.
#pragma once

#include <git2.h>

#include <filesystem>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>

namespace greenroom::git {

template <class T, void (*Free)(T*)>
struct handle_deleter {
  void operator()(T* object) const noexcept {
    Free(object);
  }
};

template <class T, void (*Free)(T*)>
using handle = std::unique_ptr<T, handle_deleter<T, Free>>;

using repository_handle = handle<git_repository, git_repository_free>;
using reference_handle = handle<git_reference, git_reference_free>;
using ref_iterator_handle =
  handle<git_reference_iterator, git_reference_iterator_free>;
using object_handle = handle<git_object, git_object_free>;
using commit_handle = handle<git_commit, git_commit_free>;
using tree_handle = handle<git_tree, git_tree_free>;
using tag_handle = handle<git_tag, git_tag_free>;
using index_handle = handle<git_index, git_index_free>;
using odb_handle = handle<git_odb, git_odb_free>;
using config_handle = handle<::git_config, git_config_free>;
using signature_handle = handle<git_signature, git_signature_free>;

/// What libgit2 could not do, in its words; `code` is a git_error_code.
class git_failure : public std::runtime_error {
public:
  git_failure(int code, const std::string& text)
    : std::runtime_error(text), code_(code) {}
  int code() const noexcept {
    return code_;
  }

private:
  int code_;
};

/// Throws git_failure "<what>: <libgit2's reason>" for a negative code.
void check(int code, std::string_view what);

/// Lets a C function fill a handle: `check(git_x_lookup(receive(x), …), …)`.
template <class Handle>
class receive {
public:
  explicit receive(Handle& target) noexcept : target_(target) {}
  receive(const receive&) = delete;
  receive& operator=(const receive&) = delete;
  ~receive() {
    target_.reset(raw_);
  }
  operator typename Handle::pointer *() noexcept {
    return &raw_;
  }

private:
  Handle& target_;
  typename Handle::pointer raw_ = nullptr;
};

/// Starts libgit2, the first time; every function that opens or makes a
/// repository calls it. No configuration of the machine or of the server's
/// user is read.
void start_library();

/// A mirror, or another bare repository that nobody but us can write.
repository_handle open_mirror(const std::filesystem::path& path);

std::string to_hex(const git_oid& id);

/// Throws std::invalid_argument for what is not 40 hex digits.
git_oid to_oid(std::string_view hex);

/// fsync of a directory, so that a rename in it is on disk.
void sync_directory(const std::filesystem::path& path);

} // namespace greenroom::git
