#include "runtime/exec/spec.hpp"

#include "runtime/base/fd.hpp"
#include "runtime/base/files.hpp"
#include "runtime/base/home_environment.hpp"
#include "runtime/runner/protocol/command_fields.hpp"

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>
#include <system_error>

namespace greenroom {

namespace fs = std::filesystem;

namespace {

// The modes of an exec's file: in them lies whether the command was sent, so
// that this costs no file of its own.
constexpr mode_t waiting = 0600;
constexpr mode_t sent = 0400;

nlohmann::json to_object(const exec_spec& request) {
  return {{"exec_id", request.exec_id},
          {"command", request.command},
          {"argv", request.argv},
          {"cwd", request.cwd},
          {"env", request.env},
          {"timeout_ms", request.timeout},
          {"stdin_open", request.stdin_open},
          {"rows", request.rows},
          {"cols", request.cols},
          {"first_input", request.first_input},
          {"input_ends", request.input_ends}};
}

fs::path spec_of(const fs::path& exec_dir) {
  return exec_dir / runner::spec_file;
}

// A file that nobody else has made, in one go.
void write_new(const fs::path& path, std::string_view text) {
  unique_fd file{::open(path.c_str(),
                        O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW,
                        waiting)};
  auto size = file ? ::write(file.get(), text.data(), text.size()) : -1;
  if (size >= 0 && static_cast<std::size_t>(size) == text.size())
    return;
  auto error = size < 0 ? errno : ENOSPC;
  // Another's file is not ours to remove.
  if (file)
    ::unlink(path.c_str());
  throw std::system_error(error, std::generic_category(),
                          "cannot write \"" + path.string() + '"');
}

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
  spec.stdin_open = request.stdin_open;
  spec.first_input = !request.first_input.empty();
  spec.input_ends = request.input_ends;
  spec.rows = request.rows;
  spec.cols = request.cols;
  spec.max_output = rules.max_output;
  spec.env = home_environment(rules.home.string());
  spec.env["LANG"] = "C.UTF-8";
  spec.env["SHELL"] = "/bin/bash";
  for (auto* more : {&project.env, &request.env})
    for (auto& [key, value] : *more)
      spec.env[key] = value;
  spec.env["GREENROOM_PROJECT_ID"] = project.id;
  spec.env["GREENROOM_SESSION_ID"] = session.id;
  spec.env["GREENROOM_EXEC_ID"] = request.exec_id;
  return spec;
}

std::size_t keep_exec(const fs::path& exec_dir, const exec_spec& request,
                      const runner::command_spec& command,
                      std::string_view input) {
  auto object = nlohmann::json::object();
  runner::put_command_fields(object, command);
  object["request"] = to_object(request);
  auto text = runner::to_text(object);
  ensure_dir(exec_dir);
  auto fed = exec_dir / runner::input_file;
  if (!input.empty())
    write_new(fed, input);
  try {
    write_new(spec_of(exec_dir), text);
  } catch (const std::system_error&) {
    if (!input.empty())
      ::unlink(fed.c_str());
    throw;
  }
  return text.size();
}

void mark_sent(const fs::path& exec_dir, bool is_sent) {
  if (::chmod(spec_of(exec_dir).c_str(), is_sent ? sent : waiting) != 0)
    throw std::system_error(errno, std::generic_category(),
                            "cannot mark \"" + spec_of(exec_dir).string()
                              + '"');
}

bool was_sent(const fs::path& exec_dir) {
  struct stat info;
  return ::stat(spec_of(exec_dir).c_str(), &info) == 0
         && (info.st_mode & 0777) == sent;
}

std::optional<exec_spec> kept_request(const fs::path& exec_dir) {
  auto text = read_file(spec_of(exec_dir));
  if (!text)
    return std::nullopt;
  auto object = nlohmann::json::parse(*text, nullptr, false);
  if (!object.is_object())
    return std::nullopt;
  try {
    const auto& json = object.at("request");
    exec_spec request;
    json.at("exec_id").get_to(request.exec_id);
    json.at("command").get_to(request.command);
    json.at("argv").get_to(request.argv);
    json.at("cwd").get_to(request.cwd);
    json.at("env").get_to(request.env);
    json.at("timeout_ms").get_to(request.timeout);
    json.at("stdin_open").get_to(request.stdin_open);
    json.at("rows").get_to(request.rows);
    json.at("cols").get_to(request.cols);
    // An older release has not said.
    request.first_input = json.value("first_input", std::string{unknown_input});
    request.input_ends = json.value("input_ends", false);
    return request;
  } catch (const nlohmann::json::exception&) {
    return std::nullopt;
  }
}

} // namespace greenroom
