#include "runtime/processes/exec_request.hpp"

#include "runtime/base/files.hpp"

#include <nlohmann/json.hpp>

namespace greenroom {

namespace {

constexpr const char* request_file = "request.json";

} // namespace

runner::command_spec resolve_command(const exec_spec& request,
                                     const project_record& project,
                                     const session_record& session,
                                     const command_rules& rules) {
  runner::command_spec spec;
  if (request.argv.empty()) {
    spec.argv = rules.shell;
    spec.argv.push_back(request.command);
  } else {
    spec.argv = request.argv;
  }
  spec.cwd = request.cwd;
  spec.timeout = request.timeout;
  spec.max_output = rules.max_output;
  spec.env = {{"PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:"
                       "/sbin:/bin"},
              {"HOME", rules.home.string()},
              {"LANG", "C.UTF-8"},
              {"USER", "greenroom"},
              {"SHELL", "/bin/bash"}};
  for (auto* more : {&project.env, &request.env})
    for (auto& [key, value] : *more)
      spec.env[key] = value;
  spec.env["GREENROOM_PROJECT_ID"] = project.id;
  spec.env["GREENROOM_SESSION_ID"] = session.id;
  spec.env["GREENROOM_EXEC_ID"] = request.exec_id;
  return spec;
}

void keep_request(const std::filesystem::path& exec_dir,
                  const exec_spec& request) {
  nlohmann::json json{
    {"exec_id", request.exec_id}, {"command", request.command},
    {"argv", request.argv},       {"cwd", request.cwd},
    {"env", request.env},         {"timeout_ms", request.timeout}};
  write_file_atomic(exec_dir / request_file, json.dump(), 0600, false);
}

std::optional<exec_spec> kept_request(const std::filesystem::path& exec_dir) {
  auto text = read_file(exec_dir / request_file);
  if (!text)
    return std::nullopt;
  auto json = nlohmann::json::parse(*text, nullptr, false);
  if (!json.is_object())
    return std::nullopt;
  try {
    exec_spec request;
    json.at("exec_id").get_to(request.exec_id);
    json.at("command").get_to(request.command);
    json.at("argv").get_to(request.argv);
    json.at("cwd").get_to(request.cwd);
    json.at("env").get_to(request.env);
    json.at("timeout_ms").get_to(request.timeout);
    return request;
  } catch (const nlohmann::json::exception&) {
    return std::nullopt;
  }
}

} // namespace greenroom
