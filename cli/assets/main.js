// The page: takes the token, and shows what the address names. `#/` all tasks, `#/NAMESPACE/NAME` one, `…/17` an item.

import { Refused, get, show, takeToken } from './api.js';
import { byId, h, set } from './dom.js';
import { ListView } from './list.js';
import { TaskView } from './task.js';

let about = null, view = null, shown = '';

function place() {
  const [namespace, name, index] = location.hash.replace(/^#\/?/, '').split('/').map(decodeURIComponent);
  return { namespace, name, index: /^\d+$/.test(index ?? '') ? Number(index) : null };
}

function crumbs({ namespace, name }) {
  const slash = () => h('i', { 'aria-hidden': 'true' }, '/');
  const parts = [h('span', { class: 'wide', title: 'API server' }, about.server.replace(/^https?:\/\/|\/$/g, '')), h('i', { class: 'wide', 'aria-hidden': 'true' }, '/')];
  const scope = about.scope === 'all' ? 'all namespaces' : about.namespace;
  if (!name) parts.push(h('span', {}, scope));
  else parts.push(h('span', {}, namespace), slash(), h('a', { href: '#/' }, 'all tasks'));
  set(byId('crumbs'), parts);
}

function route() {
  const to = place(), key = to.name ? `${to.namespace}/${to.name}` : '';
  byId('dialog').close();
  crumbs(to);
  if (!view || shown !== key) {
    const moved = view !== null;
    view?.close();
    shown = key;
    document.title = 'MapTask';
    view = key ? new TaskView(about, to.namespace, to.name) : new ListView(about);
    set(byId('main'), view.element);
    byId('skip').textContent = key ? 'Skip to the map' : 'Skip to the tasks';
    if (moved) byId('main').focus({ preventScroll: true });
    scrollTo(0, 0);
  }
  view.open(to.index);
}

function stop(words, hint) {
  show('dead', 'No access');
  set(byId('main'), h('p', { class: 'empty' }, words, h('code', {}, hint)));
}

async function start() {
  byId('skip').addEventListener('click', (event) => {
    // The address is the page's: a fragment of its own would change it.
    event.preventDefault();
    (byId('map') ?? byId('main')).focus();
  });
  byId('main').addEventListener('click', (event) => {
    if (event.target instanceof HTMLAnchorElement && event.target.getAttribute('href') === '#failures') event.preventDefault();
  });
  if (!takeToken()) {
    stop('This address has no token.', 'open the address that kubectl maptask ui has printed');
    return;
  }
  try {
    about = await get('/api/about');
  } catch (error) {
    if (error instanceof Refused) stop(error.message, error.hint ?? 'start kubectl maptask ui again, and open the address that it prints');
    else stop('kubectl maptask ui does not answer.', 'start it again, and open the address that it prints');
    return;
  }
  addEventListener('hashchange', route);
  route();
}

start();
