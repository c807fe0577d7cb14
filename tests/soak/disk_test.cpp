// A node whose disk is full: nothing that it has acknowledged is lost, commands
// run on, and it works again when there is room.
#include "tests/api/demo.hpp"

#include <sys/mount.h>

#include <filesystem>
#include <fstream>

using namespace greenroom::test;

namespace fs = std::filesystem;

namespace {

// A small file system over the node's data directory, on which it is started
// again; none where this process may not mount one.
class small_disk {
public:
  explicit small_disk(node_process& node) : at_(node.data_dir()) {
    node.terminate();
    mounted_ = ::mount("tmpfs", at_.c_str(), "tmpfs", 0, "size=24m") == 0;
    if (!mounted_) {
      WARN("not tested: this process may not mount a file system");
      return;
    }
    fs::permissions(at_, fs::perms::owner_all);
    node.start();
  }
  small_disk(const small_disk&) = delete;
  small_disk& operator=(const small_disk&) = delete;
  ~small_disk() {
    if (mounted_)
      ::umount2(at_.c_str(), MNT_DETACH);
  }

  bool mounted() const noexcept {
    return mounted_;
  }
  void fill() const {
    std::ofstream file{at_ / "ballast"};
    const std::string block(4096, 'x');
    while (file.write(block.data(), 4096).flush()) {
    }
  }
  void free() const {
    fs::remove(at_ / "ballast");
  }

private:
  fs::path at_;
  bool mounted_ = false;
};

} // namespace

TEST_CASE("a full disk loses nothing that was acknowledged") {
  node_process node;
  const small_disk disk{node};
  if (!disk.mounted())
    return;
  session_user session{node, json{{"new_branch", "work"}}};
  session.run("echo before > kept.txt");
  auto stream = session.watch("from=earliest");
  // Prints before the disk is full, while it is, and after: as much as all of
  // the disk, of which the node gives its reserve back meanwhile.
  session.start("talks",
                "echo one; until [ -e full ]; do sleep 0.02; done; "
                "head -c 24M /dev/zero | tr '\\0' x; echo; : > printed; "
                "until [ -e free ]; do sleep 0.02; done; echo three");
  await("its first line",
        [&] { return session.exec("talks")["stdout_bytes"] == 4; });
  std::ofstream{session.checkout() / "full"};
  std::ofstream{session.checkout() / "full.note"} << "made while there is room";
  disk.fill();
  // That it is truncated may itself find no room until there is some.
  await("more than the disk takes",
        [&] { return fs::exists(session.checkout() / "printed"); });
  auto refused = session.post("/exec", {{"command", "true"}});
  INFO(to_string(refused));
  CHECK(refused.status == 503);
  CHECK_THAT(refused.message(), Catch::Contains("disk"));
  // What is read is answered all the same.
  CHECK(session.status() == "active");

  disk.free();
  std::ofstream{session.checkout() / "free"};
  auto ended = session.await_status("talks", "exited");
  CHECK(ended["exit_code"] == 0);
  CHECK(ended["stdout_bytes"] == 4 + 24 * 1024 * 1024 + 1 + 6);
  CHECK(ended["truncated"] == true);
  CHECK(session.run("cat kept.txt")["stdout"] == "before\n");
  CHECK(session.get()["running_execs"] == 0);
  expect(200, session.checkin({{"skip_review", true}}));
  CHECK(node.git({"show", "work:kept.txt"}) == "before");
  auto events = stream.rest();
  check_ids(events);
  CHECK(events.back().type == "session.ended");
}

TEST_CASE("on a full disk keys die, sessions end, and room is won by the API") {
  node_process node;
  const small_disk disk{node};
  if (!disk.mounted())
    return;
  auto key =
    expect(201, node.admin().post(
                  "/keys", {{"name", "k"}, {"scopes", {"projects:read"}}}))
      .data();
  auto with_key = node.with_key(key["key"]);
  expect(200, with_key.get("/projects"));
  session_user fills{node, json{{"new_branch", "fills"}}};
  session_user other{node, json{{"new_branch", "other"}}};
  other.run("true");
  await("the reserve", [&] { return fs::exists(node.data_dir() / "reserve"); });
  fills.run("head -c 200M /dev/zero > fill");

  await("it is not ready", [&] {
    auto ready = node.admin().get("/readyz");
    return ready.status == 503
           && ready.message().find("disk is full") != std::string::npos;
  });
  // Nothing new is begun.
  CHECK(other.post("/exec", {{"command", "true"}}).status == 503);
  expect(200, node.admin().remove("/keys/" + key["id"].get<std::string>()));
  CHECK(with_key.get("/projects").status == 401);
  expect(200, other.remove());
  CHECK(other.status() == "terminated");

  // Space is won by the API: the largest goes.
  auto ended = fills.remove();
  INFO(to_string(ended));
  CHECK(ended.status == 200);
  CHECK(eventually([&] { return node.admin().get("/readyz").status == 200; }));
  session_user next{node, json{{"new_branch", "next"}}};
  CHECK(next.run("echo well")["stdout"] == "well\n");
}

TEST_CASE("sessions end whose commands take all room that there is") {
  node_process node;
  const small_disk disk{node};
  if (!disk.mounted())
    return;
  await("the reserve", [&] { return fs::exists(node.data_dir() / "reserve"); });
  session_user one{node, json{{"new_branch", "one"}}};
  session_user two{node, json{{"new_branch", "two"}}};
  for (auto* session : {&one, &two}) {
    session->run("echo work > kept.txt");
    for (auto name : {"a", "b", "c"})
      session->start(name, "trap '' TERM; until [ -e go ]; do sleep 0.02; "
                           "done; while :; do cat /dev/zero >> ~/"
                             + std::string{name} + " 2> /dev/null; done");
  }
  for (auto* session : {&one, &two})
    std::ofstream{session->checkout() / "go"};
  await("it is not ready",
        [&] { return node.admin().get("/readyz").status == 503; });

  // What is given back of the reserve is theirs at once: until the last of them
  // has ended others wait, or end with their work where it was.
  for (auto* session : {&one, &two})
    session->remove();
  for (auto* session : {&one, &two}) {
    CHECK(eventually([&] { return session->status() == "terminated"; }));
    const auto over = session->get();
    INFO(over.dump());
    CHECK((!over["rescue_refs"].empty()
           || over["status_reason"].get<std::string>().find("is kept in")
                != std::string::npos));
  }
  CHECK(eventually([&] { return node.admin().get("/readyz").status == 200; }));
  session_user next{node, json{{"new_branch", "next"}}};
  CHECK(next.run("echo well")["stdout"] == "well\n");
}

TEST_CASE("a node starts on a full disk, and room is won by the API") {
  node_process node;
  const small_disk disk{node};
  if (!disk.mounted())
    return;
  session_user fills{node, json{{"new_branch", "fills"}}};
  session_user other{node, json{{"new_branch", "other"}}};
  other.run("echo kept > kept.txt");
  await("the reserve", [&] { return fs::exists(node.data_dir() / "reserve"); });
  fills.run("head -c 200M /dev/zero > fill");
  disk.fill();
  node.kill9();
  INFO("log: " << node.log());
  node.start();
  for (int i = 0; i < 20; ++i) {
    CHECK(other.status() == "active");
    CHECK(node.admin().get("/projects").status == 200);
  }
  CHECK(eventually([&] { return node.admin().get("/readyz").status == 503; }));
  expect(200, other.remove());
  auto ended = fills.remove();
  INFO(to_string(ended));
  CHECK(ended.status == 200);
  disk.free();
  CHECK(eventually([&] { return node.admin().get("/readyz").status == 200; }));
  session_user next{node, json{{"new_branch", "next"}}};
  CHECK(next.run("echo well")["stdout"] == "well\n");
}
