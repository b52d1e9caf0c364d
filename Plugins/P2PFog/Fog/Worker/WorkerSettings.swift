package import GatewayPlugin

/// What the operator lends of this machine, in `node` of the plugin's settings.
package struct WorkerSettings: Sendable, Equatable {
  /// A model that jobs of other coordinators may ask.
  package struct SharedModel: Sendable, Equatable {
    package var modelID: String
    /// Whose it is here.
    package var subject: String

    package init(modelID: String, subject: String) {
      self.modelID = modelID
      self.subject = subject
    }
  }

  /// Whether this gateway is a node.
  ///
  /// Default true.
  package var isEnabled = true
  /// What people call it; empty for the host's name.
  package var name = ""
  /// Where it stands, for jobs that ask for a region.
  package var region = ""
  /// The account that earns; empty for `fog:NODEID`.
  package var account = ""
  /// Thousandths of a core that are lent; `nil` lends all there are.
  package var millicores: Int?
  /// MiB of memory that are lent; `nil` lends three quarters of what there is: the gateway needs some.
  package var memoryMegabytes: Int?
  /// MiB of disk that are lent; `nil` lends what is free beyond 1 GiB.
  package var diskMegabytes: Int?
  /// Jobs at once.
  ///
  /// Default 8.
  package var maxJobs = 8
  /// Types of job that are taken.
  ///
  /// Default all.
  package var types: [JobType] = JobType.allCases
  /// Models that jobs of other coordinators may ask.
  ///
  /// Default none. Jobs submitted here ask their submitter's own models.
  package var sharedModels: [SharedModel] = []

  package init() {}

  /// Reads the members of `node`; every one has a default.
  ///
  /// - Parameter fields: Of the object; errors are noted there.
  package init(_ fields: inout Fields) {
    isEnabled = fields.bool("enabled", default: true)
    name = fields.string("name", 0...64, default: "")
    region = fields.string("region", 0...64, default: "")
    account = fields.string("account", 0...128, default: "")
    millicores = fields.optionalNumber("cpu_cores", 0.1...1024).map { Int(($0 * 1000).rounded()) }
    memoryMegabytes = fields.optionalInteger("memory_mb", 16...16_777_216)
    diskMegabytes = fields.optionalInteger("disk_mb", 1...1_073_741_824)
    maxJobs = fields.integer("max_jobs", 1...64, default: maxJobs)
    if fields.json("types") != nil {
      let names = fields.strings("types", 1...JobType.allCases.count, length: 1...16)
      types = names.enumerated().compactMap { index, name in
        guard let type = JobType(rawValue: name) else {
          let allowed = JobType.allCases.map(\.rawValue)
          fields.refuse("types[\(index)]", "must be a type of job", allowed: allowed)
          return nil
        }
        return type
      }
    }
    sharedModels = fields.objects("shared_models", 0...64) { model in
      SharedModel(
        modelID: model.string("model_id", 1...64),
        subject: model.string("subject", 1...256)
      )
    }
  }
}
