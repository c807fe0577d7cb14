#include "tests/actors/cluster/simulation/many_seeds.hpp"

#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <exception>
#include <memory>
#include <new>
#include <system_error>
#include <thread>
#include <vector>

namespace greenroom::simulation {

namespace {

constexpr std::size_t max_players = 64;

using player = std::function<std::string(std::uint64_t)>;

/// What the processes share.
struct board {
  struct entry {
    std::uint64_t seed = 0; // that is being played, or has failed
    std::array<char, 1000> wrong{};
  };
  std::atomic<std::uint64_t> next{1};
  std::atomic<bool> found{false};
  std::array<entry, max_players> entries;
};

struct unmap {
  void operator()(board* there) const {
    ::munmap(there, sizeof *there);
  }
};

std::unique_ptr<board, unmap> make_board() {
  auto* memory = ::mmap(nullptr, sizeof(board), PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED)
    throw std::system_error(errno, std::generic_category(), "mmap");
  return std::unique_ptr<board, unmap>{new (memory) board};
}

std::string wrong_with(std::uint64_t seed, const player& play) {
  try {
    return play(seed);
  } catch (const std::exception& e) {
    return std::string{"an exception came out of it: "} + e.what();
  }
}

// Ends without what the program does at its end, which is the first process's.
[[noreturn]] void play_some(board& all, board::entry& mine, std::uint64_t last,
                            const player& play) {
  while (!all.found && (mine.seed = all.next++) <= last) {
    auto wrong = wrong_with(mine.seed, play);
    if (wrong.empty())
      continue;
    wrong.copy(mine.wrong.data(), mine.wrong.size() - 1);
    all.found = true;
    ::_exit(1);
  }
  ::_exit(0);
}

std::string end_of(int status) {
  if (WIFSIGNALED(status))
    return std::string{"its process was ended: "} + strsignal(WTERMSIG(status));
  return "its process ended with " + std::to_string(WEXITSTATUS(status));
}

} // namespace

std::optional<failed_seed> find_failure(std::uint64_t last,
                                        const player& play) {
  auto all = make_board();
  std::vector<pid_t> players;
  auto count = std::clamp<std::size_t>(std::thread::hardware_concurrency(), 1,
                                       max_players);
  for (std::size_t i = 0; i < count; ++i) {
    auto child = ::fork();
    if (child == 0)
      play_some(*all, all->entries[i], last, play);
    if (child < 0)
      throw std::system_error(errno, std::generic_category(), "fork");
    players.push_back(child);
  }
  std::optional<failed_seed> result;
  for (std::size_t i = 0; i < players.size(); ++i) {
    int status = 0;
    while (::waitpid(players[i], &status, 0) < 0 && errno == EINTR) {
    }
    if (status == 0)
      continue;
    all->found = true;
    auto& entry = all->entries[i];
    std::string wrong = entry.wrong.data();
    result = {entry.seed, wrong.empty() ? end_of(status) : wrong,
              wrong.empty()};
  }
  return result;
}

} // namespace greenroom::simulation
