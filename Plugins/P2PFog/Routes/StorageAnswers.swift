import StorageAnswers

/// What clients are told when storage fails.
let answering = StorageAnswers(remedy: "delete messages or results of jobs")
