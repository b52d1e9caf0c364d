package import GatewayPlugin

/// A job as a node is given it: to be run once, within a lease.
package struct LeaseOffer: Sendable, Equatable {
  /// A file of the submitter that the node fetches in pieces by `fog.input`.
  package struct Input: Sendable, Equatable {
    package var fileID: String
    /// As the submitter called it; no path.
    package var filename: String
    package var size: Int
    /// 64 hexadecimal digits; the node checks them.
    package var sha256: String

    package init(fileID: String, filename: String, size: Int, sha256: String) {
      self.fileID = fileID
      self.filename = filename
      self.size = size
      self.sha256 = sha256
    }

    /// Reads the members of an object.
    package init(_ fields: inout Fields) {
      fileID = fields.string("file_id", 1...128)
      filename = fields.string("filename", 1...255)
      size = fields.integer("size", 0...(1 << 40))
      sha256 = fields.string("sha256", 64...64)
    }

    /// As the reading constructor takes it.
    package var json: JSON {
      [
        "file_id": .string(fileID), "filename": .string(filename), "size": .integer(Int64(size)),
        "sha256": .string(sha256),
      ]
    }
  }

  /// Names this attempt at the job.
  package var leaseID: String
  package var jobID: String
  package var type: JobType
  package var requirements: Requirements
  /// What the type needs to know.
  ///
  /// `train` has the body of `POST /v1/models/train`, whose data files are among `inputs`; `inference` has `model_id` and
  /// `prompts` with the parameters of `forge.generate`; `process` has `bundle` (an input's file id), `command` (words) and
  /// `environment`.
  package var parameters: JSON
  package var inputs: [Input]
  /// Bytes that the result files may have together.
  package var outputBytes: Int
  /// Bytes of log that are kept; more is cut with a line that says so.
  package var logBytes: Int
  /// The lease ends when no heartbeat has renewed it for so long: then the node stops the job, and it may run elsewhere.
  package var leaseSeconds: Int
  /// Who submitted the job; given only to the coordinator's own node, where that user's models are, otherwise empty.
  package var subject: String

  package init(
    leaseID: String,
    jobID: String,
    type: JobType,
    requirements: Requirements,
    parameters: JSON,
    inputs: [Input],
    outputBytes: Int,
    logBytes: Int,
    leaseSeconds: Int,
    subject: String = ""
  ) {
    self.leaseID = leaseID
    self.jobID = jobID
    self.type = type
    self.requirements = requirements
    self.parameters = parameters
    self.inputs = inputs
    self.outputBytes = outputBytes
    self.logBytes = logBytes
    self.leaseSeconds = leaseSeconds
    self.subject = subject
  }

  /// Reads an offer; every bound is that of the coordinator's own requests.
  ///
  /// - Parameter fields: Of the offer; errors are noted there.
  package init(_ fields: inout Fields) {
    leaseID = fields.string("lease_id", 1...64)
    jobID = fields.string("job_id", 1...64)
    type = JobType(rawValue: fields.choice("type", JobType.allCases.map(\.rawValue))) ?? .process
    requirements = fields.object("requirements") { Requirements(&$0) }
    parameters = fields.json("parameters") ?? [:]
    inputs = fields.objects("inputs", 0...64) { Input(&$0) }
    outputBytes = fields.integer("output_bytes", 0...(1 << 40))
    logBytes = fields.integer("log_bytes", 0...(1 << 30))
    leaseSeconds = fields.integer("lease_seconds", 1...3600)
    subject = fields.string("subject", 0...256, default: "")
  }

  /// As the reading constructor takes it.
  package var json: JSON {
    [
      "lease_id": .string(leaseID), "job_id": .string(jobID), "type": .string(type.rawValue),
      "requirements": requirements.json, "parameters": parameters,
      "inputs": .array(inputs.map(\.json)),
      "output_bytes": .integer(Int64(outputBytes)), "log_bytes": .integer(Int64(logBytes)),
      "lease_seconds": .integer(Int64(leaseSeconds)), "subject": .string(subject),
    ]
  }
}
