// The handlers of the route table, one for each route.
//
// Each runs on the exchange's HTTP thread after all checks of the table, and
// sees to it that the exchange is answered, now or when an actor has answered.
// What it throws becomes the answer.
#pragma once

#include "http/exchange.hpp"

namespace greenroom::http::handlers {

// sessions.cpp
void list_sessions(const exchange_ptr& ex);
void create_session(const exchange_ptr& ex);
void get_session(const exchange_ptr& ex);
void terminate_session(const exchange_ptr& ex);
void checkin_session(const exchange_ptr& ex);
void extend_session(const exchange_ptr& ex);

// execs.cpp
void start_exec(const exchange_ptr& ex);
void list_execs(const exchange_ptr& ex);
void get_exec(const exchange_ptr& ex);
void cancel_exec(const exchange_ptr& ex);

// events.cpp
void watch_events(const exchange_ptr& ex);
void get_timeline(const exchange_ptr& ex);

// projects.cpp
void list_projects(const exchange_ptr& ex);
void create_project(const exchange_ptr& ex);
void get_project(const exchange_ptr& ex);
void change_project(const exchange_ptr& ex);
void delete_project(const exchange_ptr& ex);

// keys.cpp
void list_keys(const exchange_ptr& ex);
void create_key(const exchange_ptr& ex);
void revoke_key(const exchange_ptr& ex);

// operations.cpp
void healthz(const exchange_ptr& ex);
void readyz(const exchange_ptr& ex);
void version(const exchange_ptr& ex);
void openapi(const exchange_ptr& ex);

} // namespace greenroom::http::handlers
