#include "runtime/git/inside/received_tree.hpp"

#include "runtime/base/fd.hpp"
#include "runtime/base/run_command.hpp"
#include "runtime/git/common/tree_listing.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstdlib>
#include <iostream>
#include <sstream>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace greenroom::git {

namespace {

constexpr std::chrono::minutes timeout{5};

tree_limits limits_of_session() {
  tree_limits result;
  const auto* text = std::getenv(tree_limits_variable);
  std::istringstream{text != nullptr ? text : ""} >> result.files
    >> result.bytes;
  return result;
}

// git names by it where the objects lie that have just come.
std::vector<std::string> whole_environment() {
  std::vector<std::string> result;
  for (auto** entry = ::environ; *entry != nullptr; ++entry)
    result.emplace_back(*entry);
  return result;
}

// What cannot be listed is git's to judge, and measured with the next command.
tree_size size_of(const std::string& commit, const tree_limits& limits) {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0)
    return {};
  unique_fd reader{ends[0]};
  unique_fd writer{ends[1]};
  tree_size found;
  std::jthread counting{[&found, &limits, from = std::move(reader)]() mutable {
    found = read_listing(from.get(), limits);
    from.reset(); // by which git ends where it has more to say
  }};
  command list;
  list.argv = {"git", "ls-tree", "-r", "-t", "-l", commit};
  list.env = whole_environment();
  list.stdout_fd = writer.get();
  list.timeout = timeout;
  list.own_group = false;
  try {
    run_command(list);
  } catch (const std::exception& fault) {
    std::cerr << fault.what() << '\n';
  }
  writer.reset();
  counting.join();
  return found;
}

bool is_none(const std::string& id) {
  return id.find_first_not_of('0') == id.npos;
}

} // namespace

int judge_push() {
  const auto limits = limits_of_session();
  std::string old_id;
  std::string new_id;
  std::string ref;
  while (std::cin >> old_id >> new_id >> ref) {
    if (is_none(new_id))
      continue;
    if (auto why = why_too_large(size_of(new_id, limits), limits)) {
      std::cerr << "greenroom: " << *why << '\n';
      return EXIT_FAILURE;
    }
  }
  return EXIT_SUCCESS;
}

} // namespace greenroom::git
