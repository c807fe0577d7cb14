#include "runtime/git/session/tree_bound.hpp"

#include "messages/errors.hpp"
#include "runtime/base/fd.hpp"
#include "runtime/base/pipe.hpp"
#include "runtime/git/mirror/stoppable_git.hpp"

#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <exception>
#include <optional>
#include <stdexcept>
#include <system_error>
#include <thread>
#include <utility>

namespace greenroom::git {

namespace {

constexpr std::uint64_t counting_memory = std::uint64_t{2} << 30;
constexpr std::chrono::minutes timeout{10};

} // namespace

void check_tree(const std::filesystem::path& git_dir, const std::string& tree,
                const tree_limits& limits) {
  if (limits.files == 0 && limits.bytes == 0)
    return;
  auto [reader, writer] = make_pipe();
  const unique_fd enough{::eventfd(0, EFD_CLOEXEC)};
  if (!enough)
    throw std::system_error(errno, std::generic_category(),
                            "cannot make an eventfd");
  tree_size found;
  std::exception_ptr fault; // of the thread, which must not throw
  std::optional<command_result> result;
  {
    std::jthread counting{
      [&found, &fault, &limits, &enough, from = std::move(reader)] {
        try {
          found = read_listing(from.get(), limits);
        } catch (...) {
          fault = std::current_exception();
        }
        ::eventfd_write(enough.get(), 1);
      }};
    const auto to = std::move(writer); // it ends by this, whatever is thrown
    server_git call{git_dir, {"ls-tree", "-r", "-t", "-l", tree}};
    call.stdout_fd = to.get();
    call.timeout = timeout;
    call.max_memory = counting_memory;
    result = run_until(call, enough.get());
  }
  if (fault)
    std::rethrow_exception(fault);
  if (auto why = why_too_large(found, limits))
    throw refused{errc::conflict, *why};
  if (result && !result->ok())
    throw std::runtime_error{"cannot list the branch's files: "
                             + reason(*result)};
}

} // namespace greenroom::git
