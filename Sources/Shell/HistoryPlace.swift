/// Where the lines of the prompt are kept: `history` in the state folder, which is made where it is missing.
struct HistoryPlace {
  /// Nil where there is no folder for it.
  private(set) var path: String?
  /// Why there is none.
  private(set) var problem: String?

  init() {
    guard let folder = UserFolders.state else {
      problem = "neither XDG_STATE_HOME nor HOME names a folder for it"
      return
    }
    problem = UserFolders.problem(making: folder)
    if problem == nil { path = folder + "/history" }
  }
}
