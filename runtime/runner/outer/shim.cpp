#include "runtime/runner/outer/shim.hpp"

#include "runtime/base/files.hpp"
#include "runtime/base/guarded.hpp"
#include "runtime/base/steady_ms.hpp"
#include "runtime/runner/inner/process_tree.hpp"
#include "runtime/runner/protocol/json_fields.hpp"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <system_error>
#include <utility>

namespace greenroom::runner {

namespace {

unique_fd watch_signals() {
  sigset_t all;
  sigfillset(&all);
  ::sigprocmask(SIG_SETMASK, &all, nullptr);
  sigset_t heard;
  sigemptyset(&heard);
  for (auto signal : {SIGCHLD, SIGTERM, SIGINT})
    sigaddset(&heard, signal);
  unique_fd result{::signalfd(-1, &heard, SFD_CLOEXEC | SFD_NONBLOCK)};
  if (!result)
    throw std::system_error(errno, std::generic_category(), "signalfd");
  return result;
}

// Between two looks at the ports that running commands listen on.
constexpr std::chrono::milliseconds ports_pause{500};

// Between two looks at the lease while commands run: the machine may have slept
// meanwhile, which the loop's clock does not count.
constexpr std::chrono::milliseconds lease_pause{500};

constexpr const char* lease_is_over =
  "its node had no connection to the cluster any more, so that another one may "
  "go on with the session";

bool exists(int dir, const char* name) {
  return ::faccessat(dir, name, F_OK, 0) == 0;
}

bool has_own_network(const runner_config& config) {
  return config.sandbox && !config.sandbox->host_network;
}

} // namespace

shim::shim(runner_config config, unique_fd session_dir, unique_fd listener)
  : config_(std::move(config)), session_dir_(std::move(session_dir)),
    signals_(watch_signals()), inner_(config_, session_dir_.get()),
    link_(loop_, std::move(listener), config_.nonce, *this),
    connections_(loop_, inner_,
                 [this](const runner_message& message, unique_fd fd) {
                   link_.send(message, std::move(fd));
                 }),
    ports_(has_own_network(config_)),
    disk_(
      loop_, session_dir_.get(),
      config_.sandbox ? take_disk_limits(config_.sandbox->rlimits)
                      : disk_limits{},
      [this] { inner_.enter_users(); },
      [this](const std::string& reason) { end_all(reason); }) {
  if (!config_.lease.empty())
    lease_.emplace(config_.lease);
  ::prctl(PR_SET_CHILD_SUBREAPER, 1);
  loop_.watch(signals_.get(), [this] { hear_signals(); });
}

void shim::run() {
  while (!stopping_ || busy()) {
    loop_.run_once(next_deadline());
    run_guarded([this] { attend(); }, report_failure);
  }
  // Init is left, and processes whose supervisor was killed just now.
  auto note = [this](pid_t pid, int) { inner_.note_end(pid); };
  const auto network = inner_.network_process();
  kill_descendants(note, {&network, network == 0 ? 0u : 1u});
  // Only the network is left, which the kernel is slow to tear down: the node
  // does not wait for that.
  link_.hang_up();
  kill_descendants(note);
}

// What is to be done after each round of events: deadlines, news of growth,
// and those that are gone.
void shim::attend() {
  auto now = steady::now();
  for (auto i = execs_.begin(); i != execs_.end();) {
    auto& exec = *i->second;
    exec.on_deadline(now);
    if (auto records = exec.growth())
      if (link_.try_send(output_available{exec.id(), *records}))
        exec.growth_told();
    i = exec.gone() ? execs_.erase(i) : std::next(i);
  }
  connections_.on_deadline(now);
  link_.on_deadline(now);
  look_at_ports(now);
  disk_.attend(now, busy());
  tell_idle(now);
  look_at_lease(now);
}

// True while processes of any exec are left.
bool shim::busy() const {
  return std::ranges::any_of(
    execs_, [](const auto& item) { return !item.second->empty(); });
}

std::optional<steady::time_point> shim::next_deadline() const {
  std::optional<steady::time_point> result;
  for (const auto& [id, exec] : execs_)
    if (auto own = exec->deadline(); own && (!result || *own < *result))
      result = own;
  for (const auto& other : {connections_.deadline(), link_.deadline(),
                            ports_at_, disk_.deadline(), idle_at_, lease_at_})
    if (other && (!result || *other < *result))
      result = other;
  return result;
}

// Nothing that has to be remembered, either: ends that the disk has not taken.
bool shim::has_nothing_to_do() const {
  return execs_.empty() && !connections_.deadline();
}

// Again and again, for a node that had something in mind.
void shim::tell_idle(steady::time_point now) {
  constexpr auto version_that_skips = version_with_ports;
  if (config_.idle == 0 || stopping_ || !has_nothing_to_do()
      || !link_.node_speaks(version_that_skips)) {
    idle_at_.reset();
    return;
  }
  if (idle_at_ && now >= *idle_at_) {
    link_.try_send(idle{});
    idle_at_.reset();
  }
  if (!idle_at_)
    idle_at_ = now + std::chrono::milliseconds{config_.idle};
}

void shim::rest() {
  if (has_nothing_to_do())
    stop("the session ended");
  else
    link_.send(awake{});
}

// -- what the node says -------------------------------------------------------

hello_reply shim::greet() {
  hello_reply result{highest_version, ::getpid(), config_.nonce, {}};
  for (auto& [id, exec] : execs_)
    if (exec->active()) {
      result.execs.push_back({id, exec->started_at(), exec->records()});
      exec->growth_told();
    }
  return result;
}

void shim::before_hello() {
  // Their exit records are not where the node looks for them.
  for (const auto& [id, exec] : execs_)
    if (exec->unsaved())
      on_exited(*exec);
}

void shim::after_hello() {
  if (!link_.node_speaks(version_with_ports))
    return;
  ports_.forget();
  tell_ports();
}

void shim::tell_ports() {
  if (auto news = ports_.changed(inner_.network_member(), processes()))
    link_.send(ports{std::move(*news)});
}

void shim::on_message(const node_message& message) {
  auto with = [this](const std::string& id, auto action) {
    if (auto i = execs_.find(id); i != execs_.end())
      action(*i->second);
  };
  if (auto* x = std::get_if<spawn>(&message))
    on_spawn(x->exec);
  else if (auto* y = std::get_if<send_signal>(&message))
    with(y->exec, [y](supervised_exec& exec) { exec.signal(y->signal); });
  else if (auto* z = std::get_if<cancel>(&message))
    with(z->exec, [z](supervised_exec& exec) {
      exec.cancel(z->reason.empty() ? "it was canceled by a request"
                                    : z->reason);
    });
  else if (auto* v = std::get_if<close_input>(&message))
    with(v->exec, [](supervised_exec& exec) { exec.close_input(); });
  else if (auto* w = std::get_if<open_input>(&message))
    on_open_input(w->exec);
  else if (auto* u = std::get_if<runner::connect>(&message))
    on_connect(*u);
  else if (std::holds_alternative<runner::stop>(message))
    stop("the session ended");
  else if (std::holds_alternative<runner::rest>(message))
    rest();
}

void shim::on_open_input(const std::string& id) {
  auto i = execs_.find(id);
  if (i != execs_.end() && i->second->keeps_input())
    return; // on_fed
  std::string why_not = "exec " + id + " does not run";
  auto end = i == execs_.end() ? -1 : i->second->input(why_not);
  unique_fd copy{end < 0 ? -1 : ::fcntl(end, F_DUPFD_CLOEXEC, 0)};
  if (copy)
    link_.send(input{id}, std::move(copy));
  else
    link_.send(no_input{id, end < 0 ? why_not : "no descriptor is left"});
}

// Without a network of its own the session has only what it listens on itself:
// the other ports are the host's.
void shim::on_connect(const runner::connect& what) {
  if (has_own_network(config_))
    connections_.connect(what, {what.port});
  else if (auto port =
             ports_.find(inner_.network_member(), processes(), what.port))
    connections_.connect(what, *port);
  else
    link_.send(not_connected{what.ask, "nothing listens on port "
                                         + std::to_string(what.port)
                                         + " in this session"});
}

std::vector<exec_processes> shim::processes() const {
  std::vector<exec_processes> result;
  for (const auto& [id, exec] : execs_)
    if (auto top = exec->top_process(); top != 0)
      result.push_back({id, top});
  return result;
}

// A session in which nothing runs, or whose node is away, is not looked at;
// when the last process has gone, once more.
void shim::look_at_ports(steady::time_point now) {
  if (!link_.node_speaks(version_with_ports)) {
    ports_at_.reset();
    return;
  }
  if (!ports_at_ && busy())
    ports_at_ = now + ports_pause;
  if (!ports_at_ || now < *ports_at_)
    return;
  ports_at_.reset();
  if (busy())
    ports_at_ = now + ports_pause;
  tell_ports();
}

void shim::on_spawn(const std::string& id) {
  std::string problem;
  try {
    problem = start(id);
  } catch (const std::exception& error) {
    problem = error.what();
  }
  if (!problem.empty())
    link_.send(refused{id, std::move(problem)});
}

// Returns why it cannot be started, if so.
std::string shim::start(const std::string& id) {
  if (auto problem = why_not_now(); !problem.empty())
    return problem;
  auto running = std::ranges::count_if(
    execs_, [](const auto& item) { return item.second->active(); });
  if (static_cast<std::size_t>(running) >= max_running)
    return "too many commands run in this session at once";
  unique_fd dir{::openat(session_dir_.get(), exec_dir(id).c_str(),
                         O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW)};
  auto text = dir ? read_file(dir.get(), spec_file) : std::nullopt;
  if (!text)
    return "exec " + id + " has no " + spec_file;
  // One name, one effect: also where an earlier runner did it.
  if (execs_.contains(id) || exists(dir.get(), exit_file)
      || exists(dir.get(), output_index_file))
    return "exec " + id + " has run before";
  command_spec spec;
  try {
    spec = parse_command_spec(*text);
  } catch (const bad_field& problem) {
    return "exec " + id + " has a bad " + spec_file + ": " + problem.what();
  }
  exec_observer& observer = *this;
  auto exec = std::make_unique<supervised_exec>(
    loop_, observer, id, std::move(dir), std::move(spec), config_.kill_grace);
  exec->start(inner_);
  execs_.emplace(id, std::move(exec));
  return {};
}

// Where nothing is to be started any more.
std::string shim::why_not_now() const {
  if (stopping_)
    return "the session is being stopped";
  if (lease_ && lease_->read().stop_at <= steady_ms())
    return lease_is_over;
  return {};
}

// Whatever the node says, or does not say: others may have taken the session.
void shim::look_at_lease(steady::time_point now) {
  if (!lease_ || !busy()) {
    lease_at_.reset();
    return;
  }
  if (lease_at_ && now < *lease_at_)
    return;
  lease_at_ = now + lease_pause;
  const auto lease = lease_->read();
  if (lease.stop_at <= steady_ms())
    stop(lease_is_over);
  if (lease.kill_at <= steady_ms())
    kill_all(lease_is_over);
}

void shim::stop(const std::string& reason) {
  if (std::exchange(stopping_, true))
    return;
  // First of all, so that nobody takes this runner for a living one.
  ::unlinkat(session_dir_.get(), socket_file, 0);
  link_.stop_listening();
  end_all(reason);
}

// With all that they have left in the background.
void shim::end_all(const std::string& reason) {
  for (auto& [id, exec] : execs_)
    exec->stop(reason);
}

// -- what the execs say -------------------------------------------------------

void shim::on_started(const supervised_exec& exec) {
  link_.send(started{exec.id(), exec.started_at()});
}

void shim::on_refused(const supervised_exec& exec, std::string reason) {
  link_.send(refused{exec.id(), std::move(reason)});
}

void shim::on_exited(const supervised_exec& exec) {
  link_.send(exited{exec.id(), exec.outcome()});
}

void shim::on_fed(const supervised_exec& exec) {
  on_open_input(exec.id());
}

// Escalation: kills the sandbox's init, for processes inside are not trusted to
// die.
void shim::on_unresponsive(const supervised_exec& unresponsive) {
  std::fprintf(stderr,
               "exec %s: its supervisor does not answer: all is killed\n",
               unresponsive.id().c_str());
  kill_all("another command's processes could be ended only together with all "
           "of the session's");
}

void shim::kill_all(const std::string& reason) {
  for (auto& [id, exec] : execs_)
    exec->lost_reason(reason);
  inner_.kill(); // reap() kills what that leaves
}

// -- what the kernel says -----------------------------------------------------

void shim::hear_signals() {
  signalfd_siginfo info;
  while (::read(signals_.get(), &info, sizeof info) == sizeof info)
    if (info.ssi_signo != SIGCHLD)
      stop("the session ended");
  reap();
}

void shim::reap() {
  bool ended = false;
  int status = 0;
  for (pid_t pid; (pid = ::waitpid(-1, &status, WNOHANG)) > 0;)
    ended = inner_.note_end(pid) || ended;
  if (ended)
    kill_what_is_left();
}

// Its execs' supervisors go too, and by that the execs are lost.
void shim::kill_what_is_left() {
  kill_descendants([this](pid_t pid, int) { inner_.note_end(pid); });
}

} // namespace greenroom::runner
