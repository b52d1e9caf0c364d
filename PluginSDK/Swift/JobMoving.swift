/// A plugin whose jobs go on in the next generation when it is replaced.
///
/// At a swap its jobs see `shouldStop`, and the host waits for their end before it asks for the state; the new
/// generation starts them again in `activate`, from their last checkpoint. The jobs of any other plugin run on in the old
/// generation until they have ended by themselves.
public protocol JobMoving: Plugin {
  /// Starts the jobs again: the swap failed or was undone, and this generation serves on.
  ///
  /// Runs on the setup thread and may block.
  func resumeJobs()
}
