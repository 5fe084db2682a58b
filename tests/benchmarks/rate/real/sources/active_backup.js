// The body of a get-active response, after as many milliseconds as the path says: /20ms/1pages/v1/...
module.exports = (url) => {
  const wait = Number(/^\/(\d+)ms\//.exec(url)[1]);
  const instance = Number(/\/backup_instances\/(\d+)\//.exec(url)[1]);
  const backup = { id: 1007, backup_instance_id: instance, status: "running" };
  return new Promise((resolve) => setTimeout(resolve, wait, backup));
};
