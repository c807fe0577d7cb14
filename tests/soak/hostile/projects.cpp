// What a tenant sees of the one that had the project's id before.
#include "tests/soak/hostile/hostile_tenant.hpp"
#include "tests/soak/hostile/tenant_key.hpp"

namespace greenroom::test {

// A project of the trial's own, for those that are configured stay, and of an
// upstream of its own, for that of `demo` grows with each attack.
void hostile_tenant::incarnations() {
  const auto admin = node_.admin();
  const auto id = "past-" + std::to_string(++count_);
  const auto path = "/projects/" + id;
  auto other = expect(200, admin.get("/projects/other")).data();
  const auto upstream = node_.upstream().parent_path() / (id + ".git");
  run_git(upstream.parent_path(),
          {"clone", "-q", "--bare", other["repo"].get<std::string>(),
           upstream.string()});
  json project{{"id", id},
               {"repo", upstream.string()},
               {"max_active_sessions", 5},
               {"node_labels", other["node_labels"]}};
  expect(201, admin.post("/projects", project));
  const auto past = past_session(id);
  project["repo"] = other["repo"];
  if (below(2) == 0) {
    expect(200, admin.remove(path));
    expect(201, admin.post("/projects", project));
  } else {
    expect(200, admin.patch(path, {{"repo", project["repo"]}}));
  }
  auto key = key_for(node_, id);
  look_at_past(node_.with_key(key["key"]), id, past);
  expect(200, admin.remove(path));
  expect(200, admin.remove("/keys/" + key["id"].get<std::string>()));
}

// One that had a secret, has ended, and was rescued; its id.
std::string hostile_tenant::past_session(const std::string& project) {
  const auto admin = node_.admin();
  const auto path = "/projects/" + project + "/sessions";
  const auto made = insist([&] {
    return admin.post(path, {{"new_branch", project + '-' + new_branch()}});
  });
  const auto session = expect(201, made).data();
  remember(session);
  const auto id = session["id"].get<std::string>();
  run_whole(admin, path + '/' + id, "echo secret > secret.txt");
  expect(200, admin.remove(path + '/' + id));
  return id;
}

void hostile_tenant::look_at_past(const http_client& tenant,
                                  const std::string& project,
                                  const std::string& past) {
  const auto path = "/projects/" + project + "/sessions";
  INFO(past << " of the " << project << " that was before");
  CHECK(
    eventually([&] { return tenant.get(path + '/' + past).status == 404; }));
  for (auto more : {"/timeline", "/events", "/execs", "/git", "/diff"}) {
    INFO(more);
    CHECK(tenant.get(path + '/' + past + more).status == 404);
  }
  const auto is_empty = [&](const std::string& list, const char* name) {
    const auto all = expect(200, tenant.get(list)).data();
    INFO(list << ": " << all.dump());
    CHECK(all.at(name).empty());
  };
  is_empty(path, "sessions");
  is_empty("/sessions?limit=200", "sessions");
  is_empty("/projects/" + project + "/reviews", "reviews");
  const auto stolen = insist([&] {
    return tenant.post(
      path, {{"new_branch", new_branch()},
             {"from_ref", "refs/greenroom/rescue/" + past + "/tree"}});
  });
  INFO("from its rescue ref: " << to_string(stolen));
  CHECK(stolen.status == 404);

  const auto made = insist([&] {
    return tenant.post(path, {{"new_branch", new_branch()}});
  });
  const auto session = expect(201, made).data();
  remember(session);
  const auto mine = path + '/' + session["id"].get<std::string>();
  // The second, where it can, looks into the mirror that objects are borrowed
  // from.
  const auto refs =
    run_whole(tenant, mine,
              "git ls-remote origin && { git --git-dir=\"$(dirname \"$(cat "
              ".git/objects/info/alternates)\")\" for-each-ref; :; }")
      .value("stdout", "");
  INFO(refs);
  CHECK(refs.find("refs/heads/main") != std::string::npos);
  CHECK(refs.find(past) == std::string::npos);
  expect(200, tenant.post(mine + "/discard", json::object()));
}

} // namespace greenroom::test
