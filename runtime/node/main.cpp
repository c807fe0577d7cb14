// The command line of greenroom.
//
// Exit codes: 0 done, 1 could not start or died, 2 bad usage or configuration,
// 3 told to stop, but had to leave something unfinished.
#include "http/client/command_line.hpp"
#include "runtime/base/version.hpp"
#include "runtime/config/config.hpp"
#include "runtime/node/backup.hpp"
#include "runtime/node/doctor.hpp"
#include "runtime/node/logging.hpp"
#include "runtime/node/node.hpp"
#include "runtime/node/preflight.hpp"
#include "runtime/node/startup_banner.hpp"

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>
#include <spdlog/spdlog.h>

#include <fcntl.h>
#include <malloc.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <exception>
#include <iostream>
#include <optional>
#include <string>
#include <thread>
#include <vector>

namespace {

using namespace greenroom;

constexpr int exit_failed = 1;
constexpr int exit_usage = 2;

struct arguments {
  std::string config_file;
  std::vector<std::string> overrides;
  bool json = false;
  bool welcome = false;
  std::string archive;
};

void add_config_options(CLI::App& app, arguments& args) {
  app
    .add_option("-c,--config", args.config_file,
                "Configuration file (JSON with comments); without one the "
                "defaults hold")
    ->type_name("FILE");
  app
    .add_option("--set", args.overrides,
                "Override one key, e.g. --set http.listen=127.0.0.1:9000; may "
                "be repeated")
    ->type_name("KEY.PATH=VALUE")
    ->allow_extra_args(false);
}

config load(const arguments& args) {
  std::optional<std::filesystem::path> file;
  if (!args.config_file.empty())
    file = args.config_file;
  return load_config(file, args.overrides);
}

// Most threads of a node wait most of the time, yet each would get a heap of
// its own, from which what others free does not come back: with ten thousand
// sessions that is a quarter of all memory. What a flood of output needs again
// and again is not to be taken from the kernel each time.
void share_heaps() {
  ::mallopt(M_ARENA_MAX,
            std::max(2, static_cast<int>(std::thread::hardware_concurrency())));
  ::mallopt(M_MMAP_THRESHOLD, 1024 * 1024);
  ::mallopt(M_TRIM_THRESHOLD, 4 * 1024 * 1024);
}

// Signals are taken by sigwait in the main thread; every thread made later
// inherits the mask.
sigset_t block_signals() {
  sigset_t set;
  ::sigemptyset(&set);
  ::sigaddset(&set, SIGINT);
  ::sigaddset(&set, SIGTERM);
  ::sigaddset(&set, SIGHUP);
  ::pthread_sigmask(SIG_BLOCK, &set, nullptr);
  ::signal(SIGPIPE, SIG_IGN);
  return set;
}

// What is wrong in it changes nothing.
void reload(node& running, const arguments& args) {
  try {
    running.reload(load(args));
  } catch (const std::exception& e) {
    spdlog::error("the configuration is not taken over: {}", e.what());
  }
}

int serve(const arguments& args) {
  share_heaps();
  auto signals = block_signals();
  auto settings = load(args);
  start_logging(settings.log);
  int result = 0;
  try {
    node running{settings};
    spdlog::info("greenroom {} serves at http://{}:{}", version(),
                 settings.http.listen.host, running.port());
    if (auto file = running.admin_key_file(); !file.empty())
      spdlog::info("the administrator's key is in {}", file.string());
    if (args.welcome)
      std::cout << welcome(settings, running.port(), running.admin_key_file())
                << std::flush;
    int signal = 0;
    // At a terminal it says that this is gone.
    while (::sigwait(&signals, &signal) != 0
           || (signal == SIGHUP && ::isatty(STDIN_FILENO) == 0))
      reload(running, args);
    if (running.broken())
      result = exit_failed;
    else
      spdlog::info("SIG{} received, stopping; commands in sessions live on",
                   ::sigabbrev_np(signal));
    // A second one does not wait for anybody.
    ::pthread_sigmask(SIG_UNBLOCK, &signals, nullptr);
  } catch (const std::exception& e) {
    stop_logging();
    std::cerr << "greenroom: " << e.what() << '\n';
    return exit_failed;
  }
  stop_logging();
  return result;
}

struct split {
  std::vector<std::string> ours;
  std::vector<std::string> of_session;
};

// What stands after "--" is a command for a session, and no option of ours.
split split_words(int argc, char** argv) {
  std::vector<std::string> all{argv + 1, argv + argc};
  auto dashes = std::ranges::find(all, "--");
  split result{{all.begin(), dashes}, {}};
  if (dashes != all.end())
    result.of_session.assign(dashes + 1, all.end());
  return result;
}

/// Commands that work on this host; the others ask a server.
bool is_of_host(const std::string& command) {
  constexpr std::array<std::string_view, 5> all{"serve", "config", "doctor",
                                                "backup", "restore"};
  return std::ranges::find(all, command) != all.end();
}

int check(const arguments& args) {
  auto settings = load(args);
  std::cout << (args.json ? to_json(settings).dump(2) + "\n"
                          : explain(settings))
            << std::flush;
  auto faults = start_faults(settings);
  for (auto& fault : faults)
    std::cerr << "greenroom: " << fault << '\n';
  return faults.empty() ? 0 : exit_usage;
}

int examine(const arguments& args) {
  auto checks = examine_host(load(args));
  std::cout << (args.json ? to_json(checks).dump(2) + "\n" : to_text(checks))
            << std::flush;
  return has_fault(checks) ? exit_failed : 0;
}

int back_up(const arguments& args) {
  auto made = make_backup(load(args), args.archive);
  if (args.json) {
    std::cout << nlohmann::ordered_json{{"archive", made.archive.string()},
                                        {"bytes", made.bytes},
                                        {"left_out", made.left_out}}
                   .dump(2)
              << '\n';
    return 0;
  }
  for (auto& line : made.left_out)
    std::cerr << "greenroom: left out: " << line << '\n';
  std::cerr << "greenroom: " << made.archive.string() << " has " << made.bytes
            << " bytes, and the administrator's key: keep it safe\n";
  return 0;
}

int restore(const arguments& args) {
  auto settings = load(args);
  restore_backup(settings, args.archive);
  std::cerr << "greenroom: restored; start the node with the same "
               "configuration\n";
  return 0;
}

// The commands of the host; those of sessions are the client's.
struct host_commands {
  CLI::App* serve = nullptr;
  CLI::App* check = nullptr;
  CLI::App* doctor = nullptr;
  CLI::App* backup = nullptr;
  CLI::App* restore = nullptr;
};

void describe(CLI::App& app) {
  app.name("greenroom");
  app.set_version_flag("--version", std::string{"greenroom "} + version());
  app.require_subcommand(1);
  app.failure_message([&app](const CLI::App*, const CLI::Error& error) {
    return http::client::command_line::fault_text(app, error);
  });
  app.footer(
    "Start a node on this machine:\n"
    "  greenroom serve --config /etc/greenroom/greenroom.jsonc\n"
    "Exit codes of serve: 0 done, 1 could not start or go on, 2 bad usage or "
    "configuration, 3 stopped with something unfinished.\n"
    "Of the client: 0 done, 1 failed, 2 bad usage, 3 not found, 4 not "
    "allowed, 5 conflict, 69 no answer, 124 time-out; of exec and run "
    "the command's own.");
}

host_commands add_host_commands(CLI::App& app, arguments& args) {
  host_commands made;
  made.serve = app.add_subcommand("serve", "Run a node");
  add_config_options(*made.serve, args);
  made.serve->add_flag("--welcome", args.welcome,
                       "Once it serves, print commands to try it with");
  auto* config = app.add_subcommand("config", "Work with configuration files");
  config->require_subcommand(1);
  config->footer("Example:\n  greenroom config check --config "
                 "/etc/greenroom/greenroom.jsonc");
  made.check = config->add_subcommand(
    "check", "Print what holds, and all that would keep a node from starting");
  add_config_options(*made.check, args);
  made.check->add_option("file", args.config_file, "The same as --config")
    ->excludes("--config");
  made.check->add_flag("--json", args.json, "Print it as JSON");
  made.doctor = app.add_subcommand(
    "doctor", "Try what this host can and cannot do for a node, and say what "
              "to change");
  add_config_options(*made.doctor, args);
  made.doctor->add_flag("--json", args.json, "Print it as JSON");
  made.doctor->footer(
    "Run it as the user that the node runs as, with the node's configuration."
    "\nExit codes: 0 a node does its work here, 1 it does not, 2 bad usage or "
    "configuration.\nExample:\n  sudo -u greenroom greenroom doctor --config "
    "/etc/greenroom/greenroom.jsonc");
  made.backup = app.add_subcommand(
    "backup", "Write a node's data to an archive, while the node runs");
  add_config_options(*made.backup, args);
  made.backup
    ->add_option("file", args.archive, "The archive to make: a tar file")
    ->required();
  made.backup->add_flag("--json", args.json, "Print what was made as JSON");
  made.backup->footer("Example:\n  greenroom backup --config "
                      "/etc/greenroom/greenroom.jsonc greenroom.tar");
  made.restore =
    app.add_subcommand("restore", "Fill an empty data directory from a backup");
  add_config_options(*made.restore, args);
  made.restore->add_option("file", args.archive, "What backup has made")
    ->required();
  made.restore->footer("Example, where the node does not run:\n  greenroom "
                       "restore --config /etc/greenroom/greenroom.jsonc "
                       "greenroom.tar");
  return made;
}

// What is opened later would else take their place: an input that is closed
// would be an event queue's, and what is printed might go to the store.
void open_standard_files() {
  constexpr std::array modes{O_RDONLY, O_RDONLY /* writing fails */, O_WRONLY};
  for (int fd = 0; fd < static_cast<int>(modes.size()); ++fd)
    if (::fcntl(fd, F_GETFD) < 0)
      static_cast<void>(
        ::open("/dev/null", modes[static_cast<std::size_t>(fd)]));
}

// `--help` of a command, or what was wrong with the words.
int exit_of(const CLI::App& app, const CLI::ParseError& e,
            const std::string& first_word) {
  const auto help = app.exit(e) == 0;
  if (help && !app.get_subcommands().empty() && !is_of_host(first_word))
    std::cout << http::client::command_line::shared_options;
  return help ? 0 : exit_usage;
}

// One of the host's commands, to its end.
int run(const host_commands& chosen, const arguments& args) {
  try {
    if (*chosen.doctor)
      return examine(args);
    if (*chosen.backup)
      return back_up(args);
    if (*chosen.restore)
      return restore(args);
    return *chosen.serve ? serve(args) : check(args);
  } catch (const config_error& e) {
    std::cerr << "greenroom: " << e.what() << '\n';
    return exit_usage;
  } catch (const std::exception& e) {
    std::cerr << "greenroom: " << e.what() << '\n';
    return exit_failed;
  }
}

} // namespace

int main(int argc, char** argv) {
  open_standard_files();
  CLI::App app{"Greenroom hosts remote development sessions: a git branch "
               "checked out, commands run in it, their output live."};
  describe(app);
  arguments args;
  auto commands = add_host_commands(app, args);
  http::client::command_line client{app};
  auto words = split_words(argc, argv);
  try {
    if (!words.ours.empty() && is_of_host(words.ours[0])) // from the back
      app.parse(
        std::vector<std::string>{words.ours.rbegin(), words.ours.rend()});
    else
      http::client::command_line::parse(app, words.ours);
  } catch (const CLI::ParseError& e) {
    if (e.get_exit_code() != 0 && app.get_subcommands().empty()
        && !words.ours.empty() && !words.ours[0].starts_with('-')) {
      std::cerr << "greenroom: "
                << http::client::command_line::unknown_command(app,
                                                               words.ours[0])
                << "\n  `greenroom help` lists all\n";
      return exit_usage;
    }
    return exit_of(app, e, words.ours.empty() ? "" : words.ours[0]);
  }
  if (client.chosen())
    return client.run(std::move(words.of_session));
  args.json = args.json || app.count("--json") != 0; // before the command
  return run(commands, args);
}
