// What a hostile tenant leaves on disk, and has git do.
#include "tests/soak/hostile/hostile_tenant.hpp"
#include "tests/soak/size.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace greenroom::test {

void hostile_tenant::deep_tree() {
  auto session = begin();
  // Git does not see all that a checkout holds, nor what is beside it.
  const std::array<std::string, 3> where{"cd ~", ":", "echo d > .gitignore"};
  run(session, where[below(where.size())] + "; i=0; while [ $i -lt "
                 + std::to_string(200 + below(how_many(300, 3000)))
                 + " ]; do mkdir d && cd d || exit; i=$((i+1)); done; "
                   "touch $(seq 1000)");
  end(session);
}

void hostile_tenant::closed_files() {
  auto session = begin();
  run(session, "mkdir -p a/b; seq 1000 > a/b/c; chmod 000 a/b/c a/b a");
  end(session);
}

// As much as fits, and then what an ending needs room for.
void hostile_tenant::full_disk() {
  auto session = begin();
  const std::string size = how_many("24M", "1G");
  run(session, "head -c " + size + " /dev/urandom > fill; echo x > more");
  run(session, "head -c " + size + " /dev/zero > ~/fill; git add -A");
  end(session);
}

void hostile_tenant::many_files() {
  auto session = begin();
  run(session, "mkdir many; cd many; seq "
                 + std::to_string(how_many(5'000, 100'000)) + " | xargs touch");
  end(session);
}

void hostile_tenant::broken_git() {
  auto session = begin();
  const std::array<std::string, 3> how{
    "rm -rf .git; mkfifo .git", "echo x > .git/HEAD; mkfifo .git/index.lock",
    "head -c 4096 /dev/urandom > .git/index; echo x > y"};
  run(session, how[below(how.size())]);
  end(session);
}

// Little in git, much in a checkout: for each of several creates.
void hostile_tenant::large_blobs() {
  auto session = begin();
  auto branch = "h" + std::to_string(count_);
  run_whole(client_, session,
            "head -c "
              + std::to_string(how_many(2, 16) + below(how_many(4, 64)))
              + "M /dev/zero > zeros && git add zeros && git commit -qm x && "
                "git push -q");
  std::vector<std::string> made;
  for (int i = 0; i < 3; ++i)
    made.push_back(begin({{"from_ref", branch}}));
  for (auto& one : made)
    end(one);
  end(session);
}

http_reply hostile_tenant::check_in(const std::string& session) const {
  return insist([&] {
    return send("POST", session + "/checkin", {{"skip_review", true}});
  });
}

// Larger than git keeps files, on less disk than anybody looks at.
void hostile_tenant::file_of_holes() {
  auto session = begin();
  run_whole(client_, session, "echo x > small && truncate -s 100G hole");
  http_reply refused;
  expect_flat_memory("a check-in", [&] { refused = check_in(session); });
  INFO(to_string(refused));
  CHECK(refused.status == 409);
  CHECK_THAT(refused.message(), Catch::Contains("'hole' has 100 GiB"));
  end(session);
}

// Of gigabytes, where there is time for that: as output, as work that is kept,
// and as what another session would begin with.
void hostile_tenant::large_files() {
  auto session = begin();
  const auto branch = "h" + std::to_string(count_);
  const std::uint64_t mib = how_many(128U, 1'100U) + below(how_many(16U, 900U));
  run_whole(client_, session, "truncate -s " + std::to_string(mib) + "M zeros");
  large_output(session, mib << 20);
  http_reply kept;
  expect_flat_memory("a check-in", [&] { kept = check_in(session); });
  INFO(to_string(kept));
  CHECK(kept.status == 200);
  if (kept.status == 200)
    large_checkout(branch);
  else
    end(session);
}

void hostile_tenant::large_output(const std::string& session,
                                  std::uint64_t bytes) const {
  const auto exec = session + "/execs/zeros";
  expect_flat_memory("output", [&] {
    send("POST", session + "/exec",
         {{"command", "head -c " + std::to_string(bytes) + " zeros"},
          {"exec_id", "zeros"},
          {"wait", "60s"}});
  });
  CHECK(
    eventually([&] { return ask("GET", exec).data()["status"] == "exited"; }));
  std::uint64_t came = 0;
  expect_flat_memory("its download",
                     [&] { came = download(exec + "/output"); });
  // Of more than exec.max_output no more is kept.
  CHECK(came >= std::min(bytes, std::uint64_t{1} << 29));
}

// More than a session may have on disk is told before it is written there.
void hostile_tenant::large_checkout(const std::string& branch) {
  http_reply refused;
  expect_flat_memory("a checkout", [&] {
    refused = insist([&] {
      return send("POST", sessions,
                  {{"new_branch", new_branch()}, {"from_ref", branch}});
    });
  });
  INFO(to_string(refused));
  CHECK(refused.status == 409);
  CHECK_THAT(refused.message(), Catch::Contains("sandbox.disk"));
}

} // namespace greenroom::test
