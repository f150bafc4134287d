// Streamlit calls the function of a component again whenever its data change, but what that returned
// only when the component goes. Here each call first undoes the one before.
const component = (run) => {
  let undo = null;
  return (given) => {
    undo?.();
    undo = run(given);
    return undo;
  };
};
