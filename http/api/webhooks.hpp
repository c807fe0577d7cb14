// The handlers of webhooks' routes; see http/api/handlers.hpp.
#pragma once

#include "http/edge/exchange.hpp"

namespace greenroom::http::handlers {

void list_webhooks(const exchange_ptr& ex);
void create_webhook(const exchange_ptr& ex);
void get_webhook(const exchange_ptr& ex);
void change_webhook(const exchange_ptr& ex);
void delete_webhook(const exchange_ptr& ex);
void list_deliveries(const exchange_ptr& ex);
void redeliver(const exchange_ptr& ex);
void test_webhook(const exchange_ptr& ex);

} // namespace greenroom::http::handlers
