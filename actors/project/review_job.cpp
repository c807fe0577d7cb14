#include "actors/project/review_job.hpp"

#include "actors/runner_link/runners.hpp"
#include "messages/errors.hpp"
#include "runtime/exec/outcome.hpp"
#include "runtime/exec/output/output_log.hpp"
#include "runtime/exec/spec.hpp"
#include "runtime/runner/client/runner_client.hpp"

#include <caf/send.hpp>
#include <spdlog/spdlog.h>

#include <utility>

namespace greenroom {

namespace {

exec_outcome never_ran(std::string reason) {
  exec_outcome outcome;
  outcome.ended_at = now_ms();
  outcome.reason = std::move(reason);
  return outcome;
}

} // namespace

std::filesystem::path review_runner::exec_dir(const char* exec) const {
  return context_->session_dir(review_.id) / runner::exec_dir(exec);
}

runner_user_actor::behavior_type
review_runner::start(pointer self, context_ptr context, project_record project,
                     review_record review, project_actor asked_by) {
  self_ = self;
  context_ = std::move(context);
  project_ = std::move(project);
  review_ = std::move(review);
  asked_by_ = std::move(asked_by);
  context_->runners->stop(review_.id, runner_user_actor{self_});
  return {
    [this](const runner_up&) { on_up(); },
    [this](const runner_down& x) { on_down(x.reason); },
    [](const exec_started&) {},
    [this](const exec_refused& x) { ended(never_ran(x.reason)); },
    [](const exec_grown&) {},
    [this](exec_ended& x) { on_ended(std::move(x.outcome)); },
    [](const input_written&) {},
    [](const ports_changed&) {},
    [](const port_connected&) {},
  };
}

void review_runner::check_out() {
  self_
    ->request(context_->git, git_timeout,
              make_review_checkout{project_, review_})
    .then([this](done) { launch(); },
          [this](caf::error& e) { ended(never_ran(to_refusal(e).message)); });
}

void review_runner::launch() {
  try {
    // Of a run that a crash cut short nothing is known that could be kept.
    for (auto exec : {review_setup_exec, review_exec})
      std::filesystem::remove_all(exec_dir(exec));
    if (!project_.setup.empty())
      write_down(review_setup_exec, project_.setup);
    write_down(review_exec, project_.review.command);
  } catch (const std::exception& e) {
    spdlog::error("review {}: its command cannot be written down: {}",
                  review_.id, e.what());
    ended(never_ran("the server cannot write the command down"));
    return;
  }
  context_->runners->attach(review_.id, mirror_name(project_),
                            runner_user_actor{self_}, true);
}

void review_runner::write_down(const char* exec, const std::string& command) {
  exec_spec request;
  request.exec_id = exec;
  request.command = command;
  request.timeout = project_.review.timeout;
  session_record place;
  place.id = review_.id;
  place.project_id = project_.id;
  place.branch = review_.branch;
  auto spec = resolve_command(
    request, project_, place,
    {context_->shell, context_->max_output, context_->home_of(review_.id)});
  spec.env["GREENROOM_REVIEW_ID"] = review_.id;
  spec.env["GREENROOM_REVIEW_BRANCH"] = review_.branch;
  spec.env["GREENROOM_REVIEW_COMMIT"] = review_.commit;
  spec.env["GREENROOM_REVIEW_TARGET"] = review_.target;
  spec.env["GREENROOM_REVIEW_BASE"] = review_.base;
  write_exec_spec(context_->session_dir(review_.id), exec, spec);
}

void review_runner::run(phase what) {
  at_ = what;
  auto exec = what == phase::setting_up ? review_setup_exec : review_exec;
  context_->runners->send(review_.id, runner::spawn{exec});
}

void review_runner::on_up() {
  if (at_ == phase::preparing)
    run(project_.setup.empty() ? phase::running : phase::setting_up);
}

// What the project installs for its sessions the command may need, too. Where
// that fails nothing is known of what was checked in.
void review_runner::on_ended(exec_outcome outcome) {
  if (at_ != phase::setting_up)
    return ended(std::move(outcome));
  if (outcome.status == exec_status::exited && outcome.exit_code == 0)
    return run(phase::running);
  auto how = outcome.status == exec_status::exited
               ? "ended with exit code " + std::to_string(outcome.exit_code)
               : "did not end by itself";
  if (!outcome.reason.empty())
    how += " (" + outcome.reason + ')';
  ended(never_ran("the project's setup " + how
                  + ", so the review command was not run"));
}

void review_runner::ended(exec_outcome outcome) {
  if (at_ == phase::stopping)
    return;
  at_ = phase::stopping;
  outcome_ = std::move(outcome);
  context_->runners->stop(review_.id, runner_user_actor{self_});
}

void review_runner::on_down(const std::string& reason) {
  switch (at_) {
    case phase::clearing:
      at_ = phase::preparing;
      check_out();
      return;
    case phase::preparing:
      ended(never_ran("the review command cannot be started: " + reason));
      return;
    case phase::setting_up:
    case phase::running:
      ended(never_ran("the runner of the review command is gone"));
      return;
    case phase::stopping:
      break;
  }
  self_->send(asked_by_, review_ran{review_.id, outcome_});
  caf::anon_send(context_->git, remove_checkout{review_.id});
  self_->quit();
}

runner_user_actor::behavior_type review_run(review_runner::pointer self,
                                            context_ptr context,
                                            project_record project,
                                            review_record review,
                                            project_actor asked_by) {
  return self->state.start(self, std::move(context), std::move(project),
                           std::move(review), std::move(asked_by));
}

} // namespace greenroom
