/** The popover's page: the menu-bar app behind the pixels. */

import './styles/porten.css';

import { mount } from 'svelte';

import App from './App.svelte';
import { Clock } from './lib/clock.svelte';
import { tauriHost } from './lib/host';

mount(App, { target: document.body, props: { host: tauriHost, clock: new Clock() } });
