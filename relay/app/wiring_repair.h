#pragma once
// Part of the wiring: rows that `outbox verify` found lost become letters.

#include "relay/app/repair.h"
#include "relay/core/result.h"

namespace outbox::app {

/// Reads the rows again and files them, some hundred a transaction; each is told once it is filed.
/// Whoever is ended in the middle files the rest with the next call, and none twice. Thread: any;
/// waits for the server. Errors: the source's, as of RowReader and LetterDesk.
core::Result<RepairCounts> file_lost_rows(const RepairInputs& inputs);

}  // namespace outbox::app
