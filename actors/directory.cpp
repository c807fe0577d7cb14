#include "actors/directory.hpp"

#include "actors/guard.hpp"
#include "actors/project.hpp"
#include "messages/errors.hpp"
#include "runtime/config/projects.hpp"

#include <caf/send.hpp>
#include <spdlog/spdlog.h>

namespace greenroom {

namespace {

using pointer = directory_actor::stateful_pointer<directory_state>;

caf::error no_such_project() {
  return make_error(errc::not_found, "project not found");
}

project_actor spawn_project(pointer self, const project_record& rules) {
  auto handle =
    self->spawn(project, rules, self->state.context, self->state.supervisor);
  self->monitor(handle);
  return handle;
}

// A project's actor keeps nothing, so a new one takes over as it is.
void project_down(pointer self, const caf::down_msg& down) {
  for (auto& [id, entry] : self->state.projects)
    if (entry.handle && entry.handle.address() == down.source) {
      spdlog::error("the actor of project {} died, starting it anew", id);
      entry.handle = spawn_project(self, entry.rules);
      return;
    }
}

caf::result<project_record> put(pointer self, project_record rules) {
  auto promise = self->make_response_promise<project_record>();
  self->request(self->state.context->store, store_patience, put_project{rules})
    .then(
      [self, promise, rules](done) mutable {
        auto& entry = self->state.projects[rules.id];
        entry.rules = rules;
        if (!entry.handle)
          entry.handle = spawn_project(self, rules);
        else
          self->send(entry.handle, project_changed{rules});
        self->send(self->state.supervisor, project_changed{rules});
        promise.deliver(std::move(rules));
      },
      [promise](caf::error& e) mutable { promise.deliver(std::move(e)); });
  return promise;
}

} // namespace

directory_state::~directory_state() {
  for (auto& [id, entry] : projects)
    if (entry.handle)
      caf::anon_send_exit(entry.handle, caf::exit_reason::user_shutdown);
}

directory_actor::behavior_type directory(pointer self, context_ptr context,
                                         session_supervisor_actor supervisor,
                                         std::vector<project_record> projects) {
  auto& state = self->state;
  state.context = std::move(context);
  state.supervisor = std::move(supervisor);
  self->set_down_handler(
    [self](caf::down_msg& down) { project_down(self, down); });
  for (auto& rules : projects)
    state.projects[rules.id] = {rules, spawn_project(self, rules)};
  return {
    [self](const find_project& request) -> caf::result<project_actor> {
      auto found = self->state.projects.find(request.project_id);
      if (found == self->state.projects.end())
        return no_such_project();
      return found->second.handle;
    },
    [self](find_session& request) -> caf::result<session_actor> {
      if (!self->state.projects.contains(request.project_id))
        return no_such_project();
      return self->delegate(self->state.supervisor, std::move(request));
    },
    [self](list_projects) {
      project_list result;
      for (auto& [id, entry] : self->state.projects)
        result.projects.push_back(entry.rules);
      return result;
    },
    [self](const get_project& request) -> caf::result<project_record> {
      auto found = self->state.projects.find(request.project_id);
      if (found == self->state.projects.end())
        return no_such_project();
      return found->second.rules;
    },
    [self](create_project& request) -> caf::result<project_record> {
      if (self->state.projects.contains(request.project.id))
        return make_error(errc::project_exists,
                          "project \"" + request.project.id
                            + "\" exists already; PATCH changes it");
      return put(self, std::move(request.project));
    },
    [self](const change_project& request) -> caf::result<project_record> {
      auto found = self->state.projects.find(request.project_id);
      if (found == self->state.projects.end())
        return no_such_project();
      try {
        return put(self, changed_project(found->second.rules, request.fields));
      } catch (...) {
        return current_error("changing a project");
      }
    },
    [self](const delete_project& request) -> caf::result<done> {
      if (!self->state.projects.contains(request.project_id))
        return no_such_project();
      auto promise = self->make_response_promise<done>();
      self
        ->request(self->state.context->store, store_patience,
                  drop_project{request.project_id})
        .then(
          [self, promise, id = request.project_id](done) mutable {
            if (auto node = self->state.projects.extract(id)) {
              self->demonitor(node.mapped().handle.address());
              self->send_exit(node.mapped().handle,
                              caf::exit_reason::user_shutdown);
            }
            promise.deliver(done{});
          },
          [promise](caf::error& e) mutable { promise.deliver(std::move(e)); });
      return promise;
    },
  };
}

} // namespace greenroom
