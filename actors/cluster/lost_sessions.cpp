#include "actors/cluster/lost_sessions.hpp"

#include "messages/errors.hpp"

#include <caf/actor_system.hpp>
#include <caf/event_based_actor.hpp>
#include <spdlog/spdlog.h>

#include <chrono>

namespace greenroom {

namespace {

constexpr std::chrono::seconds look_timeout{30};
constexpr std::chrono::minutes end_timeout{10}; // it comes back before it ends

void complain(const std::string& id, const caf::error& why) {
  spdlog::error("session {} cannot be ended after its node was lost: {}", id,
                to_refusal(why).message);
}

void end(caf::event_based_actor* self, const session_finder_actor& supervisor,
         const session_record& row, const std::string& node) {
  caller by;
  by.key_name = "on_node_loss: stop, node " + node + " was lost";
  self->request(supervisor, end_timeout, find_session{row.project_id, row.id})
    .then(
      [self, by, id = row.id](const session_actor& session) {
        self->request(session, end_timeout, terminate_session{by})
          .then(
            [id](const terminate_reply&) {
              spdlog::warn("session {} is ended: its node was lost", id);
            },
            [id](const caf::error& why) { complain(id, why); });
      },
      [id = row.id](const caf::error& why) { complain(id, why); });
}

void end_all(caf::event_based_actor* self,
             const session_finder_actor& supervisor,
             const store_reader_actor& reader, const std::string& project_id,
             const std::string& lost_node) {
  self->request(reader, look_timeout, live_sessions{project_id})
    .then(
      [self, supervisor, lost_node](const session_rows& rows) {
        for (const auto& row : rows.sessions)
          end(self, supervisor, row, lost_node);
      },
      [project_id](const caf::error& why) {
        spdlog::error("the sessions of project {} cannot be ended after its "
                      "node was lost: {}",
                      project_id, to_refusal(why).message);
      });
}

} // namespace

void end_lost_sessions(caf::actor_system& system,
                       const session_finder_actor& supervisor,
                       const store_reader_actor& reader,
                       const std::string& project_id,
                       const std::string& lost_node) {
  // A function with arguments: of one without CAF dereferences what is null.
  system.spawn(end_all, supervisor, reader, project_id, lost_node);
}

} // namespace greenroom
