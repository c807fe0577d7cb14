// greenroom-git: the server's own git work where the server must not go.
//
//   greenroom-git session    one request about the checkout in the current
//                            directory, run inside the session's sandbox
//   greenroom-git "Password for 'https://host': "
//                            answers git's question as its GIT_ASKPASS
//
// A request is a JSON object on stdin with "op" and "mirror"; see below and
// sandboxed_git.cpp, which asks. The answer is JSON on stdout, or for diff the
// text itself. Exit code 3: stderr has a sentence for the user;
// any other but 0: it has one for the log.
#include "runtime/git/common/askpass.hpp"
#include "runtime/git/inside/compare.hpp"
#include "runtime/git/inside/repo.hpp"

#include <nlohmann/json.hpp>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <map>
#include <optional>
#include <set>
#include <string>

namespace greenroom::git {

namespace {

using nlohmann::json;

constexpr int for_the_user = 3;

json or_null(const std::optional<std::string>& text) {
  return text ? json(*text) : json();
}

std::string state(const session_place& place, const json& request) {
  auto now = status(place);
  json answer{{"head", or_null(now.head)},
              {"branch", or_null(now.branch)},
              {"dirty_files", now.dirty_files}};
  if (now.head && request.contains("upstream")) {
    auto beside =
      compare_head(place, request.at("upstream").get<std::string>());
    answer["ahead"] = beside.ahead;
    answer["behind"] = beside.behind;
  }
  return answer.dump(-1, ' ', false, json::error_handler_t::replace);
}

std::string diff(const session_place& place, const json& request) {
  return diff_work(place, request.at("base").get<std::string>());
}

std::string preview(const session_place& place, const json& request) {
  auto found = preview_merge(place, request.at("branch").get<std::string>(),
                             request.at("target").get<std::string>());
  json answer{{"commit", found.commit},
              {"kind", static_cast<int>(found.kind)},
              {"conflicts", found.conflicts}};
  return answer.dump(-1, ' ', false, json::error_handler_t::replace);
}

// With "branch": commits on it what is not committed, if HEAD is there. Then
// makes a commit of what still is not, and answers all that has a name and,
// after that line, the pack of it.
std::string save(const session_place& place, const json& request) {
  author by{request.at("name").get<std::string>(),
            request.at("email").get<std::string>()};
  json answer;
  std::set<std::string> tips;
  auto whole = false;
  if (request.contains("branch")) {
    auto branch = request.at("branch").get<std::string>();
    if (is_checked_out(place, branch))
      whole =
        commit_all(place, by, request.at("message").get<std::string>()).whole;
    auto tip = branch_tip(place, branch);
    answer["tip"] = or_null(tip);
    if (tip)
      tips.insert(*tip);
  }
  auto named = named_commits(place);
  if (!whole)
    if (auto tree =
          save_tree(place, by, request.at("rescue_message").get<std::string>()))
      named.emplace("tree", *tree);
  for (const auto& [name, commit] : named)
    tips.insert(commit);
  answer["named"] = std::move(named);
  std::cout << answer.dump() << '\n';
  std::cout.flush();
  write_pack(place, {tips.begin(), tips.end()},
             request.at("known").get<std::vector<std::string>>(),
             STDOUT_FILENO);
  return {};
}

int serve() {
  const std::map<std::string,
                 std::string (*)(const session_place&, const json&)>
    operations{
      {"state", state}, {"diff", diff}, {"preview", preview}, {"save", save}};
  try {
    auto request = json::parse(std::cin);
    session_place place{std::filesystem::current_path(),
                        request.at("mirror").get<std::string>()};
    std::cout << operations.at(request.at("op").get<std::string>())(place,
                                                                    request);
    std::cout.flush();
    return std::cout.good() ? EXIT_SUCCESS : EXIT_FAILURE;
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
  std::string what = argc == 2 ? argv[1] : "";
  if (what == "session")
    return greenroom::git::serve();
  if (auto answer = greenroom::git::answer_prompt(what)) {
    std::cout << *answer << '\n';
    return EXIT_SUCCESS;
  }
  std::cerr << "greenroom-git is a part of greenroom and of no use by itself\n";
  return EXIT_FAILURE;
}
