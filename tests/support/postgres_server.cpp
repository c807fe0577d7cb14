#include "tests/support/postgres_server.hpp"

#include "runtime/base/fd.hpp"
#include "runtime/base/files.hpp"
#include "tests/support/eventually.hpp"

#include <fcntl.h>
#include <grp.h>
#include <libpq-fe.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <fstream>
#include <memory>
#include <stdexcept>
#include <vector>

namespace greenroom::test {

namespace {

namespace fs = std::filesystem;

// The newest of those that are installed.
fs::path programs() {
  fs::path newest;
  std::error_code none;
  for (auto& entry : fs::directory_iterator{"/usr/lib/postgresql", none})
    if (fs::exists(entry.path() / "bin" / "initdb") && newest < entry.path())
      newest = entry.path();
  if (newest.empty())
    throw std::runtime_error("PostgreSQL is not installed: apt-get install "
                             "postgresql");
  return newest / "bin";
}

// PostgreSQL refuses to run as root.
const ::passwd* other_user() {
  if (::geteuid() != 0)
    return nullptr;
  if (auto* user = ::getpwnam("postgres"))
    return user;
  throw std::runtime_error("there is no user `postgres` to run PostgreSQL as");
}

// What a child does before it becomes a program; it ends with its parent.
void become(const ::passwd* user, int log) {
  ::dup2(log, 1);
  ::dup2(log, 2);
  if (user != nullptr
      && (::setgroups(0, nullptr) != 0 || ::setgid(user->pw_gid) != 0
          || ::setuid(user->pw_uid) != 0))
    ::_exit(126);
  ::prctl(PR_SET_PDEATHSIG, SIGQUIT);
  ::setpgid(0, 0); // not for the terminal's signals
}

pid_t spawn(const std::vector<std::string>& arguments,
            const fs::path& log_file) {
  auto* user = other_user();
  unique_fd log{
    ::open(log_file.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644)};
  std::vector<char*> argv;
  for (auto& one : arguments)
    argv.push_back(const_cast<char*>(one.c_str()));
  argv.push_back(nullptr);
  auto pid = ::fork();
  if (pid < 0)
    throw std::runtime_error("cannot fork");
  if (pid == 0) {
    become(user, log.get());
    ::execv(argv[0], argv.data());
    ::_exit(127);
  }
  return pid;
}

} // namespace

postgres_server::postgres_server(bool durable) : durable_(durable) {
  auto data = dir_.path() / "data";
  fs::create_directory(data);
  if (auto* user = other_user())
    for (auto& path : {dir_.path(), data})
      if (::chown(path.c_str(), user->pw_uid, user->pw_gid) != 0)
        throw std::runtime_error("cannot give " + path.string() + " away");
  auto pid =
    spawn({programs() / "initdb", "-D", data, "-U", "greenroom", "-A", "trust",
           "-E", "UTF8", "--locale=C.UTF-8", "--no-sync", "--no-instructions"},
          dir_.path() / "log");
  int status = 0;
  if (::waitpid(pid, &status, 0) != pid || status != 0)
    throw std::runtime_error("initdb failed: " + log());
  start();
}

postgres_server::~postgres_server() {
  stop();
}

postgres_server& postgres_server::shared() {
  static postgres_server server;
  return server;
}

void postgres_server::start() {
  const std::string safely = durable_ ? "on" : "off";
  pid_ = spawn({programs() / "postgres", "-D", dir_.path() / "data", "-k",
                dir_.path(), "-c", "listen_addresses=", "-c", "fsync=" + safely,
                "-c", "full_page_writes=" + safely, "-c", "autovacuum=off",
                "-c", "shared_buffers=32MB", "-c", "log_min_messages=fatal"},
               dir_.path() / "log");
  if (!eventually([this] {
        return ::waitpid(pid_, nullptr, WNOHANG) != 0
               || PQping(url_of("postgres").c_str()) == PQPING_OK;
      })
      || PQping(url_of("postgres").c_str()) != PQPING_OK)
    throw std::runtime_error("PostgreSQL does not start: " + log());
}

void postgres_server::stop() {
  if (pid_ < 0)
    return;
  resume();
  ::kill(pid_, SIGQUIT);
  ::waitpid(pid_, nullptr, 0);
  pid_ = -1;
}

// Its processes have a group each.
void postgres_server::signal_all(int number) {
  auto pid = std::to_string(pid_);
  ::kill(pid_, number);
  std::ifstream children{"/proc/" + pid + "/task/" + pid + "/children"};
  for (pid_t child = 0; children >> child;)
    ::kill(child, number);
}

void postgres_server::pause() {
  signal_all(SIGSTOP);
}

void postgres_server::resume() {
  signal_all(SIGCONT);
}

std::string postgres_server::make_database(const std::string& copy_of) {
  auto name = "test_" + std::to_string(++made_);
  execute("CREATE DATABASE " + name
          + (copy_of.empty() ? "" : " TEMPLATE " + name_in(copy_of)));
  return url_of(name);
}

void postgres_server::drop_database(const std::string& url) {
  execute("DROP DATABASE IF EXISTS " + name_in(url) + " WITH (FORCE)");
}

std::string postgres_server::name_in(const std::string& url) {
  auto name = url.substr(url.find("/test_") + 1);
  return name.substr(0, name.find('?'));
}

void postgres_server::execute(const std::string& sql, const std::string& url) {
  auto where = url.empty() ? url_of("postgres") : url;
  std::unique_ptr<PGconn, decltype(&PQfinish)> c{PQconnectdb(where.c_str()),
                                                 &PQfinish};
  std::unique_ptr<PGresult, decltype(&PQclear)> result{
    PQexec(c.get(), sql.c_str()), &PQclear};
  auto status = PQresultStatus(result.get());
  if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK)
    throw std::runtime_error(sql + ": " + PQerrorMessage(c.get()));
}

std::string postgres_server::url_of(const std::string& database) const {
  return "postgresql://greenroom@/" + database
         + "?host=" + dir_.path().string();
}

std::string postgres_server::log() const {
  return read_file(dir_.path() / "log").value_or("");
}

} // namespace greenroom::test
