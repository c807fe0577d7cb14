// greenroom-git: the server's own git work where the server must not go.
//
//   greenroom-git session    one request about the checkout in the current
//                            directory, run inside the session's sandbox
//   greenroom-git "Password for 'https://host': "
//                            answers git's question as its GIT_ASKPASS
//   git-connect HOST PORT    called so, it is git's way to the session's origin
//   git-connect lfs          git-lfs's
//   pre-receive              called so, it is git's hook of that name
//
// A request is a JSON object on stdin with "op" and "mirror"; see below and
// git_rpc.cpp, which asks. It runs `git`, some times, and gathers what that
// says, so that a question enters the sandbox once. The answer is JSON on
// stdout, or for diff the text itself. Exit code 3: stderr has a sentence for
// the user; 4: the same, because a rebase, merge, … is under way; any other but
// 0: it has one for the log.
#include "runtime/git/common/askpass.hpp"
#include "runtime/git/inside/connect.hpp"
#include "runtime/git/inside/forecast.hpp"
#include "runtime/git/inside/lfs_agent.hpp"
#include "runtime/git/inside/looking.hpp"
#include "runtime/git/inside/named_work.hpp"
#include "runtime/git/inside/operation.hpp"
#include "runtime/git/inside/received_tree.hpp"
#include "runtime/git/inside/saving.hpp"

#include <nlohmann/json.hpp>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <future>
#include <iostream>
#include <map>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>

namespace greenroom::git {

namespace {

using nlohmann::json;

constexpr int for_the_user = 3;
constexpr int under_way = 4;

/// Bytes of a list beside other answers: half of what git_rpc.cpp takes, and
/// fewer names than git_answers.cpp does.
constexpr std::size_t max_listed = std::size_t{8} << 20;

json or_null(const std::optional<std::string>& text) {
  return text ? json(*text) : json();
}

std::string dump(const json& answer) {
  return answer.dump(-1, ' ', false, json::error_handler_t::replace);
}

json listed(const named_work& work) {
  auto list = json::array();
  for (const auto& one : work.objects)
    list.push_back({{"name", one.name}, {"id", one.id}, {"holds", one.holds}});
  return list;
}

// What an end would meet besides the work tree. Of references that cannot be
// listed, or are more than an answer takes, nothing is said: the rest is known
// all the same.
json other_facts(const checkout_paths& paths) {
  json answer = json::object();
  try {
    auto in = repo::of(paths);
    const auto at = in.look();
    if (auto sentence = operation_at(at))
      answer["operation"] = *sentence;
    auto named = listed(named_commits(in, at));
    if (dump(named).size() <= max_listed)
      answer["named"] = std::move(named);
  } catch (const checkout_fault&) {
  }
  return answer;
}

// git takes longer to start than to answer.
std::string state(const checkout_paths& paths, const json& request) {
  auto others =
    std::async(std::launch::async, [&] { return other_facts(paths); });
  auto now = status(paths);
  json answer{{"head", or_null(now.head)},
              {"branch", or_null(now.branch)},
              {"dirty_files", now.dirty_files}};
  if (now.head && request.contains("upstream")) {
    auto beside =
      compare_head(paths, request.at("upstream").get<std::string>());
    answer["ahead"] = beside.ahead;
    answer["behind"] = beside.behind;
  }
  answer.update(others.get());
  return dump(answer);
}

std::string diff(const checkout_paths& paths, const json& request) {
  return diff_work(paths, request.at("bases").get<std::vector<std::string>>());
}

std::string preview(const checkout_paths& paths, const json& request) {
  auto found = preview_merge(paths, request.at("branch").get<std::string>(),
                             request.at("target").get<std::string>());
  return dump({{"commit", found.commit},
               {"kind", static_cast<int>(found.trial.kind)},
               {"tree", found.trial.tree},
               {"conflicts", found.trial.conflicts},
               {"reason", found.trial.reason},
               {"dirty_files", status(paths).dirty_files}});
}

std::string answer_of(const saving& what, const savings& made) {
  json answer;
  if (!what.branch.empty())
    answer["tip"] = or_null(made.tip);
  answer["named"] = listed(made.named);
  if (made.named.note)
    answer["note"] = *made.named.note;
  answer["complete"] = made.named.complete;
  return dump(answer);
}

// Of each file that is written from here on, by whoever it is: filters of the
// session's own could fill the node's disk by the server's file.
void bound_files(std::uint64_t bytes) {
  rlimit most{};
  if (bytes == 0 || ::getrlimit(RLIMIT_FSIZE, &most) != 0)
    return;
  most.rlim_max = std::min<rlim_t>(most.rlim_max, bytes);
  most.rlim_cur = most.rlim_max;
  if (::setrlimit(RLIMIT_FSIZE, &most) != 0)
    throw std::runtime_error("cannot bound the size of files");
}

// What git says then is no help.
void refuse_full(std::uint64_t bound) {
  struct stat info {};
  if (bound != 0 && ::fstat(STDOUT_FILENO, &info) == 0
      && static_cast<std::uint64_t>(info.st_size) >= bound)
    throw checkout_fault{"what there is to save takes more than "
                         + std::to_string(bound)
                         + " bytes, and so more than a session may have on "
                           "disk (sandbox.disk)"};
}

// A line of JSON, and after it the pack. stdout is a file: what turns out not
// to be packed is taken back.
std::string save(const checkout_paths& paths, const json& request) {
  saving what;
  what.by = {request.at("name").get<std::string>(),
             request.at("email").get<std::string>()};
  what.branch = request.value("branch", "");
  what.message = request.value("message", "");
  what.rescue_message = request.at("rescue_message").get<std::string>();
  what.known = request.at("known").get<std::vector<std::string>>();
  what.beside = request.value("beside", false);
  what.own_only = request.value("own_only", false);
  what.upstream = request.at("upstream").get<std::vector<std::string>>();
  const auto bound = request.value("max_file", std::uint64_t{0});
  bound_files(bound);
  auto made = save_work(paths, what);
  for (;;) {
    std::cout << answer_of(what, made) << '\n';
    std::cout.flush();
    try {
      pack_work(paths, what, made, STDOUT_FILENO);
      return {};
    } catch (const checkout_fault&) {
      refuse_full(bound);
      if (::lseek(STDOUT_FILENO, 0, SEEK_SET) != 0
          || ::ftruncate(STDOUT_FILENO, 0) != 0
          || !drop_unpackable(paths, what, made))
        throw;
    }
  }
}

int serve() {
  const std::map<std::string,
                 std::string (*)(const checkout_paths&, const json&)>
    operations{
      {"state", state}, {"diff", diff}, {"preview", preview}, {"save", save}};
  try {
    auto request = json::parse(std::cin);
    checkout_paths paths{std::filesystem::current_path(),
                         request.at("mirror").get<std::string>()};
    std::cout << operations.at(request.at("op").get<std::string>())(paths,
                                                                    request);
    std::cout.flush();
    return std::cout.good() ? EXIT_SUCCESS : EXIT_FAILURE;
  } catch (const operation_fault& fault) {
    std::cerr << fault.what() << '\n';
    return under_way;
  } catch (const checkout_fault& fault) {
    std::cerr << fault.what() << '\n';
    return for_the_user;
  } catch (const std::exception& fault) {
    std::cerr << fault.what() << '\n';
    return EXIT_FAILURE;
  }
}

} // namespace

} // namespace greenroom::git

int main(int argc, char** argv) {
  std::ios::sync_with_stdio(false);
  std::filesystem::path self = argc > 0 ? argv[0] : "";
  std::string what = argc == 2 ? argv[1] : "";
  if (self.filename() == "git-connect" && what == "lfs")
    return greenroom::git::serve_lfs(self.parent_path());
  if (self.filename() == "git-connect")
    return greenroom::git::connect_origin(self.parent_path());
  if (self.filename() == "pre-receive")
    return greenroom::git::judge_push();
  if (what == "session")
    return greenroom::git::serve();
  if (auto answer = greenroom::git::answer_prompt(what)) {
    std::cout << *answer << '\n';
    return EXIT_SUCCESS;
  }
  std::cerr << "greenroom-git is a part of greenroom and of no use by itself\n";
  return EXIT_FAILURE;
}
