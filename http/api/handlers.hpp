// The handlers of the route table, one for each route.
//
// Each runs on the exchange's HTTP thread after all checks of the table, and
// sees to it that the exchange is answered, now or when an actor has answered.
// What it throws becomes the answer.
#pragma once

#include "http/edge/exchange.hpp"

namespace greenroom::http::handlers {

// sessions.cpp
void list_sessions(const exchange_ptr& ex);
void create_session(const exchange_ptr& ex);
void get_session(const exchange_ptr& ex);
void terminate_session(const exchange_ptr& ex);
void discard_session(const exchange_ptr& ex);
void checkin_session(const exchange_ptr& ex);
void extend_session(const exchange_ptr& ex);

// kept.cpp
void list_kept(const exchange_ptr& ex);
void drop_kept(const exchange_ptr& ex);

// all_sessions.cpp
void list_all_sessions(const exchange_ptr& ex);

// console.cpp
void index(const exchange_ptr& ex);
void console_file(const exchange_ptr& ex);
void icon(const exchange_ptr& ex);
void log_in(const exchange_ptr& ex);
void log_out(const exchange_ptr& ex);

// git.cpp
void rotate_token(const exchange_ptr& ex);
void create_stream_ticket(const exchange_ptr& ex);
void get_git_state(const exchange_ptr& ex);
void get_diff(const exchange_ptr& ex);
void get_mergeability(const exchange_ptr& ex);

// execs.cpp
void start_exec(const exchange_ptr& ex);
void list_execs(const exchange_ptr& ex);
void get_exec(const exchange_ptr& ex);
void cancel_exec(const exchange_ptr& ex);
void write_stdin(const exchange_ptr& ex);
void signal_exec(const exchange_ptr& ex);
void resize_exec(const exchange_ptr& ex);

// output.cpp
void get_output(const exchange_ptr& ex);
void attach(const exchange_ptr& ex);

// wait.cpp
void wait_for_event(const exchange_ptr& ex);

// ports.cpp
void list_ports(const exchange_ptr& ex);
void set_port(const exchange_ptr& ex);
void create_port_link(const exchange_ptr& ex);
void delete_port_link(const exchange_ptr& ex);
void open_tunnel(const exchange_ptr& ex);

// reviews.cpp
void list_reviews(const exchange_ptr& ex);
void get_review(const exchange_ptr& ex);
void get_review_diff(const exchange_ptr& ex);
void get_review_output(const exchange_ptr& ex);
void approve_review(const exchange_ptr& ex);
void reject_review(const exchange_ptr& ex);
void merge_review(const exchange_ptr& ex);

// events.cpp
void watch_events(const exchange_ptr& ex);
void get_timeline(const exchange_ptr& ex);

// all_events.cpp
void watch_all_events(const exchange_ptr& ex);

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
void whoami(const exchange_ptr& ex);

// metrics.cpp
void metrics(const exchange_ptr& ex);

// stats.cpp
void get_stats(const exchange_ptr& ex);

// audit.cpp
void get_audit(const exchange_ptr& ex);

// operations.cpp
void errors(const exchange_ptr& ex);
void guide(const exchange_ptr& ex);
void healthz(const exchange_ptr& ex);
void readyz(const exchange_ptr& ex);
void version(const exchange_ptr& ex);
void openapi(const exchange_ptr& ex);

// nodes.cpp
void list_nodes(const exchange_ptr& ex);

} // namespace greenroom::http::handlers
