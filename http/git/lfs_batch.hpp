// The batch API of Git LFS: which contents a client wants to get or to bring,
// and where it is told to find them.
//
// Clients send what they like: nothing is trusted.
#pragma once

#include "runtime/git/session/git_service.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace greenroom::http::git_http {

/// Objects in a batch; git-lfs itself asks for a hundred.
inline constexpr std::size_t max_lfs_objects = 1000;

struct lfs_batch {
  std::string verb; // download or upload
  std::vector<git::lfs_object> objects;
};

/// Throws refused bad_request.
lfs_batch read_lfs_batch(std::string_view body);

/// The answer: each of them is to be got, or brought, at its place by `token`.
std::string lfs_batch_answer(
  const lfs_batch& batch, std::string_view token,
  const std::function<std::string(const git::lfs_object&)>& place_of);

/// The size that a place of ours ends with, `?size=N`. Throws refused
/// bad_request.
std::uint64_t lfs_size_in(std::string_view target);

} // namespace greenroom::http::git_http
