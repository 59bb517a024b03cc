#pragma once
// Trouble: what the client library says about connections, as a sentence for health and `doctor`,
// with the remedy. Its words are kept: they name the host, the certificate's fault, the mechanism.

#include <librdkafka/rdkafka.h>

#include <string>

namespace outbox::kafka {

std::string describe_trouble(rd_kafka_resp_err_t error, const std::string& text);

/// A password, certificate or mechanism is wrong: trying again soon does not help.
bool is_not_let_in(rd_kafka_resp_err_t error);

/// Whether an admin request may work later as it is.
bool is_passing(rd_kafka_resp_err_t error);

}  // namespace outbox::kafka
